"""Everyone has a link of their own, which nobody can make without the class's key."""

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.service.personal_links import all_personal_links, is_valid_token, personal_token


def test_everyones_links_open_their_own_pages(service_client):
    service_client.store.join("Bea")
    found = all_personal_links(service_client.folder, service_client.store)
    assert [name for name, _ in found] == ["Ana <b>", "Bea"]
    for name, address in found:
        page = service_client.get(address.removeprefix(service_client.folder.public_url.rstrip("/"))).text
        assert name.replace("<b>", "&lt;b&gt;") in page


def test_another_class_makes_other_links(service_client):
    other = ClassFolder.create("other", lesson="hello-world")
    username = service_client.ana.username
    assert is_valid_token(service_client.folder, username, personal_token(service_client.folder, username))
    assert not is_valid_token(service_client.folder, username, personal_token(other, username))
