"""Variables by which a CI system says what it builds; a test in CI must not believe them."""

CI_VARIABLES = (
    "GITHUB_REF",
    "GITHUB_REF_NAME",
    "GITHUB_REF_TYPE",
    "GITHUB_HEAD_REF",
    "GITHUB_EVENT_PATH",
    "CI_MERGE_REQUEST_IID",
    "CI_COMMIT_BRANCH",
    "CI_DEFAULT_BRANCH",
    "CHANGE_ID",
    "BRANCH_NAME",
    "BRANCH_IS_PRIMARY",
)
