"""Reasons and other texts that people write into a project: they are kept, so they must name nobody."""

from firstread.core.errors import DataError, SettingError
from firstread.project.identity_store import IdentityStore
from firstread.project.index import index_folder
from firstread.project.project_folder import ProjectFolder
from firstread.project.project_verification import word_kinds

_MAX_CHARACTERS = 500


def check_reason(project: ProjectFolder, reason: str) -> str:
    """A reason as it goes into the audit log.

    Raises:
        SettingError: it is empty, too long, or a word in it names somebody of the archive.
    """
    text = " ".join(reason.split())
    if not text:
        raise SettingError("A reason is needed; it is kept in the audit log", do='--reason "..."')
    if len(text) > _MAX_CHARACTERS:
        raise SettingError("The reason is too long", expected=f"at most {_MAX_CHARACTERS} characters")
    if kinds := kinds_named(project, text):
        raise SettingError(
            f"The reason holds a word that names somebody of the archive ({', '.join(sorted(kinds))})",
            do="say it without names, identifiers and dates: the audit log must name nobody",
        )
    return text


def kinds_named(project: ProjectFolder, text: str) -> set[str]:
    """Kinds of the identity values of the archive that a text holds, such as "name"; none where there is no index."""
    try:
        store = IdentityStore(index_folder(project))
    except DataError:
        return set()
    try:
        return word_kinds(store, text)
    finally:
        store.close()
