"""summary.json: every number and sentence of the report, as `reports.summary` documents its keys."""

import json

from reports.summary import Summary


def to_json(summary: Summary) -> str:
    """Return the summary as JSON text; what has no number is null, never NaN."""
    return json.dumps(summary.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
