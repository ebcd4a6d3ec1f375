"""Shapes of retry, undo and the error catalogue."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

_JOB = "load_01jd6z7w7kq2m4t8v0x3y5z7b9"
_OTHER = "load_01jd6z9a1b2c3d4e5f6g7h8j9k"


class RetryAccepted(BaseModel):
    """Rows are loaded again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": True,
                    "message": "The rows are loaded again.",
                    "job_id": _OTHER,
                    "retry_of": _JOB,
                    "status_url": f"/api/v1/bulk/job/{_OTHER}/status",
                }
            ]
        }
    )

    success: bool = Field(description="True; a refusal is a problem.")
    message: str = Field(description="One sentence.")
    job_id: str = Field(description="Id of the new load.")
    retry_of: str = Field(description="Id of the job whose rows are loaded again.")
    status_url: str = Field(description="Where the new load's state is.")


class UndoAccepted(BaseModel):
    """A load is being taken back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": True,
                    "message": "The load is being undone.",
                    "job_id": _OTHER,
                    "job_ids": [_OTHER],
                    "undo_of": _JOB,
                    "deletes_job_id": _OTHER,
                    "restores_job_id": None,
                    "rows_without_before_image": 0,
                    "status_url": f"/api/v1/bulk/job/{_OTHER}/status",
                }
            ]
        }
    )

    success: bool = Field(description="True; a refusal is a problem.")
    message: str = Field(description="One sentence.")
    job_id: str = Field(description="Id of the first undoing load.")
    job_ids: list[str] = Field(description="Ids of all of them: an upsert takes two.")
    undo_of: str = Field(description="Id of the job that is undone.")
    deletes_job_id: str | None = Field(description="The load that deletes what was created.")
    restores_job_id: str | None = Field(description="The load that restores what was changed.")
    rows_without_before_image: int = Field(description="Changed rows that cannot be restored.")
    status_url: str = Field(description="Where the first load's state is.")


class CatalogueEntry(BaseModel):
    """What is known of one error code."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "code": "UNABLE_TO_LOCK_ROW",
                    "origin": "salesforce",
                    "cause": "Another transaction held the record or its parent at that moment; nothing was written.",
                    "remedy": "Load the failed rows again; sorting rows by their parent avoids it.",
                    "retry": "safe",
                    "retry_in_words": "yes, after a pause: nothing was written",
                    "http_status": 400,
                    "sent_again_by_itself": True,
                }
            ]
        }
    )

    code: str = Field(description="As it stands in results and replies.")
    origin: str = Field(description="salesforce, salesforce_job or orgbridge.")
    cause: str = Field(description="Why it happens.")
    remedy: str = Field(description="What to do.")
    retry: str = Field(description="never, safe, reauthenticate, wait or unknown.")
    retry_in_words: str = Field(description="The same in words.")
    http_status: int | None = Field(description="Status of a reply that carries it alone.")
    sent_again_by_itself: bool = Field(description="True when a load sends such rows again by itself.")


class CatalogueReply(BaseModel):
    """The whole catalogue, by code."""

    errors: list[CatalogueEntry] = Field(description="The entries.")
