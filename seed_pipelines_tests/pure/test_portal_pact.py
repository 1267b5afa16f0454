"""The portal's side: it gets along with what the pact says, and the pact that is kept is this one."""

import json

from portal_pact import FILE, pact_of_the_portal, use_as_the_portal


def test_the_portal_gets_along_with_the_pact(tmp_path):
    pact = pact_of_the_portal()
    with pact.serve() as server:
        statuses = [answer.status_code for answer in use_as_the_portal(str(server.url))]
    assert statuses == [200, 201, 200, 200, 404]
    pact.write_file(tmp_path)
    written = json.loads((tmp_path / FILE.name).read_text())
    assert written["interactions"] == json.loads(FILE.read_text())["interactions"], (
        "the pact has changed: copy the new one to contracts/pacts"
    )
