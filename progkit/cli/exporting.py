"""``progkit export``: a saved program as another library's file."""

import argparse
import json

from progkit import artifact
from progkit.cli.migration import tell
from progkit.cli.opening import made


def run(options: argparse.Namespace) -> int:
    """Write the file that ``--to`` names; what it has no place for goes to stderr."""
    if options.program:
        program = made(options.program, options.file)
        report = program.load(options.file, strict=not options.no_strict)
        saved = program.save(options.output, format=options.to)
        changed, told = saved.changed, {"dropped": report.dropped + saved.dropped, "notes": report.notes}
    else:
        received = artifact.receive(options.file)
        raw, dropped = artifact.export(received.document)
        changed = artifact.write_export(options.output, raw)
        told = {"dropped": received.dropped + dropped, "notes": received.notes}
    if options.json:
        print(json.dumps({"path": options.output, "changed": changed, **told}, ensure_ascii=False))
        return 0
    print(f"{options.output} {'written' if changed else 'is as it was'}")
    tell(told)
    return 0
