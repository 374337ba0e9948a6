"""Attack: markup in a parameter, to write elements of one's own into an answer."""

from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from tests.security.wire import sent
from tests.sts.world import USER_KEY, World, signed_request

TEXTS = [
    "<Code>ok</Code>",
    "]]></Message><Arn>x</Arn>",
    "&lol;",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "\"'>",
    "a\0b\x0b\ufffe",
]
PLACES = {
    "action": "Action={}&Version=2011-06-15",
    "version": "Action=GetCallerIdentity&Version={}",
    "role": "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/{}&RoleSessionName=name",
    "name": "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/x&RoleSessionName={}",
    "policy ARN": "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/x&RoleSessionName=name"
    "&PolicyArns.member.1.arn=arn:aws:iam::111122223333:policy/{}",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("text", TEXTS)
def test_markup_is_text_in_an_error(aws: World, place: str, text: str) -> None:
    """The document has the elements of every error, and no other."""
    request = signed_request(USER_KEY, body=place.format(quote(text)).encode())
    document = ET.fromstring(aws.send(request)[1])  # noqa: S314 -- our own answer
    names = [element.tag.rpartition("}")[2] for element in document.iter()]
    assert ["ErrorResponse", "Error", "Type", "Code", "Message", "RequestId"] == names


def test_so_it_is_in_s3s_errors(aws_with_s3: World) -> None:
    """The gateway's answers are another document."""
    request = signed_request(USER_KEY, method="GET", target="/%3Cx%3E?a=%3Cy%3E", body=b"", service="s3")
    status, body = aws_with_s3.send(request)
    names = [element.tag for element in ET.fromstring(body).iter()]  # noqa: S314 -- our own answer
    assert status >= 400
    assert names[:3] == ["Error", "Code", "Message"]
    assert not {"x", "y"} & set(names)


def test_before_http_is_understood(aws: World) -> None:
    """What is not even a request is answered as plain text."""
    answer = sent(aws, b"GET /<script>\xff HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert b"Content-Type: text/plain" in answer
