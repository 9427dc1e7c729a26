"""Protobuf messages as raw bytes, for loads whose messages are few and simple."""


def varint(number):
    text = bytearray()
    while number > 0x7f:
        text.append(number & 0x7f | 0x80)
        number >>= 7
    text.append(number)
    return bytes(text)


def field(number, content):
    """A field of bytes, or of a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def read_varint(message, at):
    number, shift = 0, 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7f) << shift
        if byte < 0x80:
            return number, at
        shift += 7


def count_fields(message, wanted):
    """How many fields of that number the message has, not counting those of its messages."""
    at, found = 0, 0
    while at < len(message):
        tag, at = read_varint(message, at)
        found += tag >> 3 == wanted
        if tag & 7 == 0:
            _, at = read_varint(message, at)
        else:
            size, at = read_varint(message, at)
            at += size
    return found
