//! How a journal lies in its database, and how older ones become newer ones.
//!
//! What a transaction writes lies in `batches` at first, one row for all of it, and is merged into the other tables later.
//!
//! Facts lie in the order in which they were merged: that touches the end of one table, not a page per execution. Each row
//! points to the one before it of the same execution; where the newest one lies is in `heads` as long as the execution is
//! open, and in its summary afterwards. So `heads` also says which executions are open.

use finale_core::fact::FORMAT;
use rusqlite::{Connection, TransactionBehavior};

use crate::OpenProblem;

use super::trouble::open_problem;

/// Tells a journal from other SQLite files: "FINL".
pub(super) const APPLICATION_ID: i32 = 0x4649_4e4c;

/// Each makes a database of the version that is its index into one of the next version. Append-only.
pub(super) const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5];

const VERSION_1: &str = "
CREATE TABLE meta(
    one INTEGER PRIMARY KEY CHECK(one = 1),
    identity BLOB NOT NULL,
    facts_format INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    running INTEGER NOT NULL,
    place INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES(1, randomblob(16), 0, 0, 0, 0, 0, 0);
CREATE TABLE definitions(
    number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    bytes BLOB NOT NULL,
    intact INTEGER NOT NULL
) STRICT;
CREATE TABLE executions(
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    definition INTEGER NOT NULL,
    activated_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    idempotency_key TEXT,
    business_key TEXT,
    begin_intact INTEGER NOT NULL,
    status INTEGER NOT NULL,
    completed_at INTEGER,
    error TEXT,
    quarantine TEXT,
    until_released INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    last INTEGER NOT NULL,
    standing_intact INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX executions_id ON executions(id);
CREATE INDEX executions_keyed ON executions(idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX executions_business ON executions(business_key, id) WHERE business_key IS NOT NULL;
CREATE INDEX executions_completed ON executions(status, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX executions_unhappy ON executions(status, id) WHERE status > 2;
CREATE TABLE heads(
    id BLOB PRIMARY KEY,
    number INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE facts(
    place INTEGER PRIMARY KEY,
    previous INTEGER NOT NULL,
    execution INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    count INTEGER NOT NULL,
    chain INTEGER NOT NULL,
    facts BLOB NOT NULL
) STRICT;
CREATE TABLE forgotten(last INTEGER PRIMARY KEY, execution INTEGER NOT NULL) STRICT;
";

/// The token of the newest claim, and how many executions have ended and how: nobody counts them.
const VERSION_2: &str = "
ALTER TABLE meta ADD COLUMN token BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE meta ADD COLUMN completed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
UPDATE meta SET
    token = randomblob(16),
    completed = (SELECT count(*) FROM executions WHERE status = 2 AND completed_at IS NOT NULL),
    failed = (SELECT count(*) FROM executions WHERE status = 3 AND completed_at IS NOT NULL),
    cancelled = (SELECT count(*) FROM executions WHERE status = 4 AND completed_at IS NOT NULL);
";

/// Batches that are durable and not in the other tables yet, up to which batch everything is there, and the hash over the
/// others.
const VERSION_3: &str = "
CREATE TABLE batches(batch INTEGER PRIMARY KEY, hash INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
ALTER TABLE meta ADD COLUMN merged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN unmerged_hash INTEGER NOT NULL DEFAULT 0;
";

/// How far the file itself had come, without its log, when that was last copied whole: a log that says more than the file has
/// is the log of another one.
const VERSION_4: &str = "
ALTER TABLE meta ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
";

/// Executions of whose ends somebody has still to be told.
const VERSION_5: &str = "
CREATE TABLE untold(id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
";

/// Brings the database to the newest version; each step is all or nothing.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenProblem> {
    let from = check_version(connection, migrations)?;
    for (version, migration) in (1i64..).zip(migrations).skip(from) {
        step(connection, migration, version).map_err(open_problem)?;
    }
    Ok(())
}

/// The version of the database, which must not be newer than the newest one that is known.
pub(super) fn check_version(connection: &Connection, migrations: &[&str]) -> Result<usize, OpenProblem> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(open_problem)?;
    match usize::try_from(found) {
        Ok(version) if version <= migrations.len() => Ok(version),
        _ => Err(OpenProblem::Newer { found, known: migrations.len() as i64 }),
    }
}

/// Refuses facts in an encoding that is newer than the one this release writes.
pub(super) fn check_format(connection: &Connection) -> Result<(), OpenProblem> {
    let format = "SELECT facts_format FROM meta";
    let found: i64 = connection.query_row(format, [], |row| row.get(0)).map_err(open_problem)?;
    let known = i64::from(FORMAT);
    if found <= known { Ok(()) } else { Err(OpenProblem::Newer { found, known }) }
}

/// Notes in which encoding facts are written from now on.
pub(super) fn note_format(connection: &Connection) -> Result<(), OpenProblem> {
    let note = "UPDATE meta SET facts_format = ?1 WHERE facts_format < ?1";
    connection.execute(note, [FORMAT]).map(drop).map_err(open_problem)
}

fn step(connection: &mut Connection, migration: &str, version: i64) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: [&str; 3] = ["CREATE TABLE a(x)", "CREATE TABLE b(x); INSERT INTO b VALUES(1)", "CREATE TABLE b(x)"];

    fn database() -> Connection {
        Connection::open_in_memory().unwrap()
    }

    fn version(connection: &Connection) -> i64 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_database_takes_the_steps_that_it_lacks() {
        let mut connection = database();
        migrate(&mut connection, &LISTS[..1]).unwrap();
        migrate(&mut connection, &LISTS[..2]).unwrap();
        assert_eq!(version(&connection), 2);
        let rows: i64 = connection.query_row("SELECT count(*) FROM b", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1);
        migrate(&mut connection, &LISTS[..2]).unwrap();
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_before_it() {
        let mut connection = database();
        assert!(migrate(&mut connection, &LISTS).is_err());
        assert_eq!(version(&connection), 2);
    }

    #[test]
    fn a_newer_database_is_refused() {
        let mut connection = database();
        migrate(&mut connection, &LISTS[..2]).unwrap();
        let refused = migrate(&mut connection, &LISTS[..1]).unwrap_err();
        assert_eq!(refused, OpenProblem::Newer { found: 2, known: 1 });
    }

    #[test]
    fn a_newer_encoding_of_facts_is_refused() {
        let mut connection = database();
        migrate(&mut connection, MIGRATIONS).unwrap();
        note_format(&connection).unwrap();
        check_format(&connection).unwrap();
        connection.execute("UPDATE meta SET facts_format = ?", [FORMAT + 1]).unwrap();
        let (found, known) = (i64::from(FORMAT) + 1, i64::from(FORMAT));
        assert_eq!(check_format(&connection), Err(OpenProblem::Newer { found, known }));
    }
}
