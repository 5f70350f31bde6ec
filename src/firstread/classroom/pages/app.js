// The board as it changes. What somebody types into it is not taken away from under their hands.
const board = document.getElementById("board");
const stream = new EventSource("stream");
stream.onmessage = (event) => {
  const typing = board.contains(document.activeElement) && document.activeElement.value;
  if (!typing) board.innerHTML = JSON.parse(event.data);
};
stream.onopen = () => document.body.classList.remove("cut-off");
stream.onerror = () => document.body.classList.add("cut-off");
