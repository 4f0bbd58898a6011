"""The stock `eventsourcing` library reads this ledger: an auditor's notebook needs that library and this module.

    from ledger.stock import CustomerLedger, project

    ledger = CustomerLedger(env={"POSTGRES_DBNAME": "ledger", "POSTGRES_USER": "ledger_stock", …})
    account = ledger.repository.get(customer_stream_id("default", "c-1001"), projector_func=project)

Everything here is the library's own machinery, which is synchronous: its PostgreSQL recorder selects from a view that
has its columns (src/ledger/sql/create_log.sql). Nothing is written this way: the reader's role may only select, and a
recorder that takes a table lock for each insert is not how this ledger appends.
"""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent
from eventsourcing.utils import get_topic, register_topic

from ledger.account import Account, copied, empty
from ledger.account import apply as apply_record
from ledger.errors import StreamUnreadable
from ledger.records import PROGRAM_TYPES, TYPES, Record, customer_stream_id, program_stream_id

for _type in TYPES:
    register_topic(_type, Record)


class RecordMapper(Mapper[UUID]):
    """Turns stored events into records and back: a record's bytes are its state, its type is its topic.

    Older schemas are lifted on the way in, as everywhere (`records.upcast`). The library's ciphers and compressors are
    not used: the bytes are hashed as they are stored.
    """

    def to_domain_event(self, stored_event: StoredEvent) -> Record:  # type: ignore[override]
        """Read the record.

        Raises:
            MapperDeserialisationError: its schema or type is newer than this version, or it is no record at all.
        """
        try:
            return Record.from_bytes(stored_event.state)
        except (StreamUnreadable, ValueError, KeyError, TypeError) as error:
            raise MapperDeserialisationError(
                f"{stored_event.topic} at version {stored_event.originator_version} of stream "
                f"{stored_event.originator_id} cannot be read: {error}"
            ) from error

    def to_stored_event(self, domain_event: Record) -> StoredEvent:  # type: ignore[override]
        """Write a record of the present schema as the library carries it."""
        record = domain_event
        program_stream = program_stream_id(record.program)
        return StoredEvent(
            originator_id=program_stream
            if record.type in PROGRAM_TYPES
            else customer_stream_id(record.program, record.subject),
            originator_version=record.version,
            topic=record.type,
            state=record.to_bytes(),
        )


class CustomerLedger(Application[UUID]):
    """Program `default` as the stock library sees it; where the database is, the environment says.

    Its name gives the view's name: `customerledger_events`.
    """

    name = "CustomerLedger"
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "CREATE_TABLE": "no",
        "MAPPER_TOPIC": get_topic(RecordMapper),
    }


def ledger_of(program: str) -> type[CustomerLedger]:
    """The application class of a program: the same, with the name of that program's view."""
    if program == "default":
        return CustomerLedger
    return type(f"CustomerLedger_{program}", (CustomerLedger,), {"name": f"CustomerLedger_{program}"})


def project(account: Account | None, records: Iterable[Record]) -> Account | None:
    """The ledger's own fold as `projector_func`: a stream without records is None, as the library has it."""
    state: Account | None = None
    for record in records:
        if state is None:
            state = empty() if account is None else copied(account)
        apply_record(state, record)
    return account if state is None else state
