// The instructor's form of the forum: sent without leaving the page; a picture may be pasted.
"use strict";
const postForm = document.getElementById("forum-post");
const pictureField = document.getElementById("post-picture");

postForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const options = { method: "POST", body: new FormData(postForm), headers: { "X-Requested-With": "fetch" } };
  const answer = await fetch(postForm.action, options).catch(() => null);
  if (!answer) return showToast("Not sent: the class cannot be reached. What you typed stays.");
  if (!answer.ok) return showToast(`Not posted. ${await answer.text()}`);
  postForm.reset();
  showToast("Posted.");
});

postForm.addEventListener("paste", (event) => {
  if (![...event.clipboardData.files].some((file) => file.type.startsWith("image/"))) return;
  event.preventDefault();
  pictureField.files = event.clipboardData.files;
});
