"""What each operation needs of its keys, by the text of src/access/rules.h; a request for each; and
the methods that are no operations. Written without regard to how the server decides."""

import re
from collections import namedtuple

import mini_redis_pb2 as pb
from keystore_env import ROOT

Row = namedtuple("Row", "kind method category keys needs alone")


def read_table():
    table = (ROOT / "src/store/operations.def").read_text()
    rows = []
    for alone, text in re.findall(r"^OPERATION(_ALONE)?\(([^)]*)\)$", table, re.M):
        cells = [cell.strip() for cell in text.split(",")]
        rows.append(Row(cells[0], cells[1], cells[5].lower(), cells[6], cells[-1], bool(alone)))
    return rows


ROWS = read_table()
REQUESTS = {
    "Set": lambda a, b, db: pb.KeyValue(key=a, value=b"v", db=db),
    "Append": lambda a, b, db: pb.KeyValue(key=a, value=b"v", db=db),
    "LPush": lambda a, b, db: pb.ListInsert(key=a, values=[b"v"], db=db),
    "RPush": lambda a, b, db: pb.ListInsert(key=a, values=[b"v"], db=db),
    "LRange": lambda a, b, db: pb.ListRange(key=a, stop=-1, db=db),
    "LTrim": lambda a, b, db: pb.ListRange(key=a, stop=-1, db=db),
    "MGet": lambda a, b, db: pb.Keys(keys=[a, b], db=db),
    "Exists": lambda a, b, db: pb.Keys(keys=[a, b], db=db),
    "Touch": lambda a, b, db: pb.Keys(keys=[a, b], db=db),
    "DeleteMany": lambda a, b, db: pb.Keys(keys=[a, b], db=db),
    "MSet": lambda a, b, db: pb.KeyValues(entries=[pb.KeyValue(key=a, value=b"v"),
                                                   pb.KeyValue(key=b, value=b"v")], db=db),
    "Incr": lambda a, b, db: pb.Increment(key=a, by=1, db=db),
    "GetRange": lambda a, b, db: pb.ByteRange(key=a, stop=-1, db=db),
    "SetRange": lambda a, b, db: pb.ByteRange(key=a, value=b"v", db=db),
    "SetBit": lambda a, b, db: pb.BitRequest(key=a, bit=True, db=db),
    "GetBit": lambda a, b, db: pb.BitRequest(key=a, db=db),
    "BitCount": lambda a, b, db: pb.BitRange(key=a, db=db),
    "BitPos": lambda a, b, db: pb.BitRange(key=a, db=db),
    "BitOp": lambda a, b, db: pb.BitOpRequest(operation=pb.BitOpRequest.OPERATION_OR, key=a,
                                              keys=[b], db=db),
    "BitField": lambda a, b, db: pb.BitFieldRequest(
        key=a, parts=[pb.BitFieldRequest.Part(bits=3)], db=db),
    "Lcs": lambda a, b, db: pb.LcsRequest(key=a, other_key=b, db=db),
    "GetEx": lambda a, b, db: pb.ExpireRequest(key=a, ttl_ms=100000, db=db),
    "Expire": lambda a, b, db: pb.ExpireRequest(key=a, ttl_ms=100000, db=db),
    "Rename": lambda a, b, db: pb.CopyRequest(source=a, target=b, db=db),
    "Copy": lambda a, b, db: pb.CopyRequest(source=a, target=b, db=db),
    "LMove": lambda a, b, db: pb.MoveRequest(source=a, target=b, db=db),
    "ListPop": lambda a, b, db: pb.PopRequest(keys=[a, b], db=db),
    "LIndex": lambda a, b, db: pb.ListItem(key=a, db=db),
    "LSet": lambda a, b, db: pb.ListItem(key=a, value=b"v", db=db),
    "LInsert": lambda a, b, db: pb.ListItem(key=a, value=b"v", pivot=b"p", db=db),
    "LRem": lambda a, b, db: pb.ListFind(key=a, value=b"v", db=db),
    "LPos": lambda a, b, db: pb.ListFind(key=a, value=b"v", db=db),
    "RandomKey": lambda a, b, db: pb.DbRequest(db=db),
    "FlushDb": lambda a, b, db: pb.DbRequest(db=db),
    "SwapDb": lambda a, b, db: pb.SwapRequest(db=db, other_db=1),
    "Txn": lambda a, b, db: pb.TxnRequest(
        compares=[pb.TxnRequest.Compare(key=a, condition=pb.Condition(
            existence=pb.EXISTENCE_PRESENT), db=db)]),
}
for _name in ("Get", "Delete", "LPop", "RPop", "GetDel", "Describe"):
    REQUESTS[_name] = lambda a, b, db: pb.Key(key=a, db=db)


def needs_of(row, a, b, db):
    """[(kind, type, key or None for all keys, db)]: what the text of access/rules.h says."""
    kinds = {"READ": "r", "WRITE": "w", "BOTH": "rw"}
    if row.method == "Txn":
        return [("read", "txn", a, db)]
    if row.method == "MSet":
        return [("write", "string", key, db) for key in (a, b)]
    if row.keys in ("NONE", "DB", "DBS"):
        return [(kind, row.category, None, each) for kind in spell(kinds[row.needs])
                for each in ([db, 1] if row.keys == "DBS" else [db])]
    first = kinds.get(row.needs) or {"COPY": "w" if row.keys == "INTO" else "r",
                                     "MOVE": "rw"}[row.needs]
    second = kinds.get(row.needs) or {"COPY": "r" if row.keys == "INTO" else "w",
                                      "MOVE": "w"}[row.needs]
    needs = [(kind, row.category, a, db) for kind in spell(first)]
    if row.keys != "KEY":
        needs += [(kind, row.category, b, db) for kind in spell(second)]
    return needs


def spell(kinds):
    return [{"r": "read", "w": "write"}[kind] for kind in kinds]


ADMIN_CALLS = {
    "Info": pb.InfoRequest(), "Latency": pb.LatencyRequest(), "SlowLog": pb.SlowLogRequest(),
    "Save": pb.SaveRequest(wait=True), "Config": pb.ConfigRequest(),
    "SetConfig": pb.SetConfigRequest(name="log-level", value="info"),
    "KillClients": pb.KillClientsRequest(id=1 << 60),
}
ADMIN_STREAMS = {"Backup": pb.BackupRequest(), "Clients": pb.ClientsRequest()}
