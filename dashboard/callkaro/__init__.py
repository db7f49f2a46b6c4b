"""The platform's words: what a report says, what codes mean, how a transcript reads. Pure; knows nothing of ours."""
