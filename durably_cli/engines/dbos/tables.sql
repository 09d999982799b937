create schema if not exists durably;
-- What each run was made as: the line of its run.created, and what runs are found by.
create table if not exists durably.runs (
  run text primary key, project text not null, job text not null, line text not null,
  labels jsonb not null, concurrency_key text, idempotency_key text);
create index if not exists runs_of_project on durably.runs (project, run desc);
create index if not exists runs_of_key on durably.runs (project, concurrency_key)
  where concurrency_key is not null;
-- An idempotency key: the run that it stands for, of which input, and when that was deleted.
create table if not exists durably.keys (
  project text, job text, key text, run text not null, input_sha256 text not null,
  canonical_sha256 text, deleted text, primary key (project, job, key));
-- Keys that were used on a host before the project had this engine: of each the hash of job and key.
create table if not exists durably.carried (
  project text, name text, run text not null, host text not null, deleted text,
  primary key (project, name));
-- The runs that were made of a run.
create table if not exists durably.forks (origin text, run text, primary key (origin, run));
-- When a project's old runs were removed last, and which were to go then.
create table if not exists durably.retention (
  project text primary key, asked text not null, at timestamptz not null);
-- Events that need not be durable: starts, log lines, progress. The durable ones are DBOS's steps.
create table if not exists durably.talk (
  run text, attempt int, place int, line text not null, primary key (run, attempt, place));
-- Each wait of a name has a number; the first of all that send one, and its deadline, counts.
create table if not exists durably.signals (
  run text, name text, number int, value text, sent_by text not null, sent_at text not null,
  primary key (run, name, number));
create table if not exists durably.cancels (
  run text primary key, asked_by text not null, asked_at text not null, reason text);
-- Runs that wait and are to go on from that time on (empty: now). What waits for nothing but a worker
-- that has its job was passed on, by one that has not.
create table if not exists durably.suspended (
  run text primary key, due text not null, was_passed_on bool not null default false);
create index if not exists suspended_by_due on durably.suspended (due);
-- Somebody resumes a run: this attempt is to be, once these decisions are journalled. It and those
-- that follow it may take so many seconds each.
create table if not exists durably.resumes (
  run text, attempt int, decisions text not null, seconds float8, is_taken bool not null,
  primary key (run, attempt));
create index if not exists resumes_to_come on durably.resumes (run) where not is_taken;
-- A worker is alive as long as its session holds the advisory lock of its executor.
create table if not exists durably.workers (
  executor text primary key, project text not null, host text not null, pid int not null,
  version text not null, jobs text[] not null, slots int not null,
  since timestamptz not null default now());
-- Runs whose end is still to be looked at for notices: that of which attempt; `dead` says since when
-- it has died, if that was seen.
create table if not exists durably.noted (
  run text primary key, project text not null, attempt int not null, dead text);
create index if not exists noted_of_project on durably.noted (project);
-- What fails: a job, with a key that its runs have. `found` says since when, and what was sent.
create table if not exists durably.failing (
  project text, job text, key text, run text not null, found text not null,
  primary key (project, job, key));
-- Runs that the command of a notice has triggered: nothing is said of them.
create table if not exists durably.unheard (run text primary key);
