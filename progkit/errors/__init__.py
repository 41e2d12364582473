"""Every error that progkit raises, one tree.

::

    ProgkitError
    ├── ConfigurationError        a setting or an argument of configure() that cannot work
    │   └── NoLMError             a predictor was called and no LM is in force
    ├── SignatureError            a signature that makes no sense
    │   └── SignatureSyntaxError  ... and the place in its text
    ├── InputError                a call's inputs do not fit its signature
    ├── AdapterParseError         a reply from which the output fields cannot be read
    ├── ToolError             arguments that a tool does not take
    ├── NotCachedError            a call that may be answered from the cache alone, and is not there
    │   └── OfflineMissError      ... because progkit is offline
    ├── LMError                   the LM did not answer; ``retryable`` says whether asking again can help
    │   ├── LMAuthenticationError
    │   ├── LMRateLimitError
    │   ├── LMContextWindowError
    │   ├── LMTimeoutError
    │   ├── LMBadRequestError
    │   ├── LMServerError
    │   ├── LMConnectionError
    │   └── EndpointWithheldError the LM came from a file whose endpoint nobody allowed
    ├── BatchError                a batch, or an item of one, that did not come to its end
    │   ├── BatchStoppedError     it stopped: too many failures, or the cost ceiling
    │   ├── ItemTimeoutError      an item took longer than it may
    │   ├── CheckpointError       a checkpoint of another program, of other inputs, or in use
    │   └── RowError              a row of a file that cannot be read as inputs
    ├── CacheError
    │   ├── UncacheableError      a request without a stable key
    │   └── EntryError            bytes in a tier that are no entry of ours
    └── ArtifactError
        ├── DocumentError         a file that cannot be read as what it should be
        │   ├── VersionError      ... because another progkit is needed
        │   └── RevisionError     ... because git does not have it, at that revision
        ├── StateMismatchError    a file for another program
        ├── UnsavableError        a program holds what a state file cannot
        ├── ProgramNeededError    a file that does not suffice to rebuild its program
        ├── UntrustedError        a bundle whose code nothing allows to run
        ├── EnvironmentMismatchError  a bundle that needs another interpreter, other distributions or modules
        ├── UnloadableError       a bundle's code that failed while it was loaded
        └── LeftOutError          a part of a program that its bundle left out was used

An error carries its data as attributes, and ``args`` mirror ``__init__``, so every
one of them pickles. The sentence is made when it is asked for.
"""

from progkit.errors.artifacts import (
    ArtifactError,
    DocumentError,
    EnvironmentMismatchError,
    LeftOutError,
    ProgramNeededError,
    RevisionError,
    StateMismatchError,
    UnloadableError,
    UnsavableError,
    UntrustedError,
    VersionError,
)
from progkit.errors.batches import (
    BatchError,
    BatchStoppedError,
    CheckpointError,
    ItemTimeoutError,
    RowError,
)
from progkit.errors.caches import (
    CacheError,
    EntryError,
    UncacheableError,
)
from progkit.errors.calls import (
    AdapterParseError,
    InputError,
    NoLMError,
    NotCachedError,
    OfflineMissError,
    SignatureError,
    SignatureSyntaxError,
    ToolError,
)
from progkit.errors.lms import (
    EndpointWithheldError,
    LMAuthenticationError,
    LMBadRequestError,
    LMConnectionError,
    LMContextWindowError,
    LMError,
    LMRateLimitError,
    LMServerError,
    LMTimeoutError,
)
from progkit.errors.root import (
    ConfigurationError,
    ProgkitError,
    did_you_mean,
)

__all__ = [
    "AdapterParseError",
    "ArtifactError",
    "BatchError",
    "BatchStoppedError",
    "CacheError",
    "CheckpointError",
    "ConfigurationError",
    "DocumentError",
    "EndpointWithheldError",
    "EntryError",
    "EnvironmentMismatchError",
    "InputError",
    "ItemTimeoutError",
    "LMAuthenticationError",
    "LMBadRequestError",
    "LMConnectionError",
    "LMContextWindowError",
    "LMError",
    "LMRateLimitError",
    "LMServerError",
    "LMTimeoutError",
    "LeftOutError",
    "NoLMError",
    "NotCachedError",
    "OfflineMissError",
    "ProgkitError",
    "ProgramNeededError",
    "RevisionError",
    "RowError",
    "SignatureError",
    "SignatureSyntaxError",
    "StateMismatchError",
    "ToolError",
    "UncacheableError",
    "UnloadableError",
    "UnsavableError",
    "UntrustedError",
    "VersionError",
    "did_you_mean",
]
