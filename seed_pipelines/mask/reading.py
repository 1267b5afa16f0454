"""What a session needs to open the personal columns of a tenant through the views of schema `app_opened`.

Each column has a setting of its own, so that a session is given the keys of the columns that it may read and no
others. The keys open what is stored, which is masked; none of them undoes a mask.
"""

from collections.abc import Iterable, Mapping

from seed_pipelines import catalog
from seed_pipelines.mask.keys import FieldKeys

PREFIX = "seed_key"


def setting_of(entity: str, column: str) -> str:
    """The name of the setting that holds the key of a column."""
    return f"{PREFIX}.{entity}_{column}"


def opening_settings(keys: FieldKeys, entities: Iterable[catalog.Entity]) -> Mapping[str, str]:
    """Setting → key, of every personal column of the entities."""
    return {
        setting_of(entity.name, column.name): keys.column(entity.name, column.name).pgp.passphrase
        for entity in entities
        for column in entity.personal_columns
    }
