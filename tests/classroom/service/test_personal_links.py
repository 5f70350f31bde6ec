"""Everyone has a link of their own, which nobody can make without the class's key."""

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.service.personal_links import everyones_links, is_token_of, token_of


def test_everyones_links_open_their_own_pages(served):
    served.store.join("Bea")
    found = everyones_links(served.folder, served.store)
    assert [name for name, _ in found] == ["Ana <b>", "Bea"]
    for name, address in found:
        page = served.get(address.removeprefix(served.folder.address.rstrip("/"))).text
        assert name.replace("<b>", "&lt;b&gt;") in page


def test_another_class_makes_other_links(served):
    other = ClassFolder.make("other", lesson="hello-world")
    username = served.ana.username
    assert is_token_of(served.folder, username, token_of(served.folder, username))
    assert not is_token_of(served.folder, username, token_of(other, username))
