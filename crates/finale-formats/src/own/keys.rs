//! All keys and words of the format, where the schema has them.

use super::section::Keys;
use super::task::repeat;
use super::{call, control, declaration, edge, policy, retry, rule, short, task};

pub(crate) use super::control::KINDS;
pub(crate) use super::edge::ANSWERS;

/// The keys of each map.
pub(crate) const MAPS: &[(&str, Keys)] = &[
    ("", super::KEYS),
    ("/$defs/workflow", super::KEYS),
    ("/$defs/declaration/oneOf/1", declaration::KEYS),
    ("/$defs/tolerate", policy::TOLERATE_KEYS),
    ("/$defs/share", policy::SHARE_KEYS),
    ("/$defs/task", task::KEYS),
    ("/$defs/shell", short::SHELL_KEYS),
    ("/$defs/retry", retry::RETRY_KEYS),
    ("/$defs/backoff", retry::BACKOFF_KEYS),
    ("/$defs/source/oneOf/1", edge::AFTER_KEYS),
    ("/$defs/node", control::KEYS),
    ("/$defs/trigger_rule/oneOf/1", rule::RULE_KEYS),
    ("/$defs/join", rule::JOIN_KEYS),
    ("/$defs/split", control::SPLIT_KEYS),
    ("/$defs/verification", control::VERIFICATION_KEYS),
    ("/$defs/call", call::KEYS),
    ("/$defs/map", repeat::MAP_KEYS),
    ("/$defs/loop", repeat::LOOP_KEYS),
    ("/$defs/group", repeat::GROUP_KEYS),
    ("/$defs/subworkflow", control::SUBWORKFLOW_KEYS),
    ("/$defs/edge", edge::EDGE_KEYS),
];

/// The words of each choice.
pub(crate) const WORDS: &[(&str, &[&str])] = &[
    ("/properties/on_failure/oneOf/0/enum", policy::ON_FAILURE),
    ("/properties/siblings/enum", policy::SIBLINGS),
    ("/$defs/type/enum", declaration::TYPE_NAMES),
    ("/$defs/shell/properties/output/enum", short::OUTPUTS),
    ("/$defs/trigger_rule/oneOf/0/enum", rule::RULES),
    ("/$defs/node/properties/join/oneOf/0/enum", rule::JOINS),
    ("/$defs/join/properties/strategy/enum", rule::JOINS),
    ("/$defs/join/properties/losers/enum", rule::LOSERS),
    ("/$defs/backoff/properties/kind/enum", retry::GROWTHS),
    ("/$defs/retry/properties/exhausted/enum", retry::EXHAUSTED),
    ("/$defs/verification/properties/preset/enum", control::VERDICTS),
];
