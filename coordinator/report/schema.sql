-- results.sqlite, format 1. NULL: unknown, or not there for this outcome.
-- ANY: TEXT, or BLOB where the bytes are not UTF-8.
CREATE TABLE run (
    key   TEXT PRIMARY KEY,
    value ANY
) STRICT;
CREATE TABLE video (
    id                 INTEGER PRIMARY KEY, -- the manifest's order, from 0
    path               ANY NOT NULL,
    label              TEXT,                -- REAL, FAKE
    split              ANY,
    family             ANY,
    original           ANY,
    identity           ANY,
    group_name         ANY,
    outcome            TEXT NOT NULL,
    p_fake             REAL,
    message            ANY,
    n_frames_wanted    INTEGER,
    n_frames_decoded   INTEGER,
    n_frames_with_face INTEGER,
    n_tracks           INTEGER,
    n_clips            INTEGER,
    container          ANY,
    codec              ANY,
    pixel_format       ANY,
    encoder            ANY,
    width_px           INTEGER,
    height_px          INTEGER,
    rotation_deg       INTEGER,
    fps                REAL,
    duration_us        INTEGER,
    n_frames           INTEGER,
    bit_rate_bps       INTEGER,
    n_audio_streams    INTEGER,
    size_bytes         INTEGER,
    -- of this execution, not of the result
    attempt            INTEGER,
    rank               INTEGER,
    wall_us            INTEGER,
    decode_us          INTEGER,
    face_us            INTEGER,
    network_us         INTEGER,
    -- of the data set
    method             ANY,                 -- its own name of how a fake was made
    fake_segments      TEXT                 -- START:END;START:END in seconds
) STRICT;
CREATE TABLE clip (
    video_id INTEGER NOT NULL REFERENCES video(id),
    track    INTEGER NOT NULL,
    clip     INTEGER NOT NULL,
    start_us INTEGER NOT NULL,
    end_us   INTEGER NOT NULL,
    n_frames INTEGER NOT NULL,
    p_fake   REAL NOT NULL
) STRICT;
-- Scored videos with a label: is the score on the right side of 0.5, and how far off is it?
CREATE VIEW judged AS
SELECT id, path, label, split, family, p_fake,
       (p_fake >= 0.5) = (label = 'FAKE') AS is_right,
       abs(p_fake - (label = 'FAKE')) AS error
FROM video
WHERE p_fake IS NOT NULL AND label IS NOT NULL;
-- What became of the videos; the counts add up to the manifest.
CREATE VIEW outcome AS
SELECT outcome, count(*) AS n, 1.0 * count(*) / (SELECT count(*) FROM video) AS share,
       sum(label = 'REAL') AS n_real, sum(label = 'FAKE') AS n_fake
FROM video GROUP BY outcome;
-- Coverage and scores by label and family, split, codec or picture size: does a score follow something but the label?
CREATE VIEW by_family AS
SELECT label, family, count(*) AS n, count(p_fake) AS n_scored, avg(p_fake) AS mean_p_fake,
       sum(p_fake >= 0.5) AS n_called_fake
FROM video GROUP BY label, family;
CREATE VIEW by_method AS
SELECT label, method, count(*) AS n, count(p_fake) AS n_scored, avg(p_fake) AS mean_p_fake,
       sum(p_fake >= 0.5) AS n_called_fake
FROM video GROUP BY label, method;
CREATE VIEW by_split AS
SELECT label, split, count(*) AS n, count(p_fake) AS n_scored, avg(p_fake) AS mean_p_fake,
       sum(p_fake >= 0.5) AS n_called_fake
FROM video GROUP BY label, split;
CREATE VIEW by_stream AS
SELECT label, codec, width_px, height_px, count(*) AS n, count(p_fake) AS n_scored, avg(p_fake) AS mean_p_fake,
       sum(p_fake >= 0.5) AS n_called_fake
FROM video GROUP BY label, codec, width_px, height_px;
-- To look at: decided videos without a score, and why; wrong ones, the worst first; those that took longest.
CREATE VIEW unscored AS
SELECT id, path, label, split, family, outcome, message, n_frames_wanted, n_frames_decoded, n_frames_with_face, attempt
FROM video WHERE p_fake IS NULL AND outcome <> 'undecided';
CREATE VIEW wrong AS
SELECT id, path, label, split, family, p_fake, error FROM judged WHERE NOT is_right ORDER BY error DESC, id;
CREATE VIEW slowest AS
SELECT id, path, outcome, wall_us / 1e6 AS wall_s, decode_us / 1e6 AS decode_s, face_us / 1e6 AS face_s,
       network_us / 1e6 AS network_s, attempt, rank
FROM video WHERE wall_us > 0 ORDER BY wall_us DESC, id;
-- A row a face that was followed: how many clips, and how they agree.
CREATE VIEW track AS
SELECT video_id, track, count(*) AS n_clips, min(start_us) AS start_us, max(end_us) AS end_us, avg(p_fake) AS mean_p_fake,
       min(p_fake) AS min_p_fake, max(p_fake) AS max_p_fake, sum(p_fake >= 0.5) AS n_called_fake
FROM clip GROUP BY video_id, track;
-- Fakes beside their originals, where an original is stated as a path of this run.
CREATE VIEW pair AS
SELECT fake.id AS fake_id, fake.path AS fake_path, fake.family, fake.p_fake AS fake_p_fake,
       real.id AS real_id, real.path AS real_path, real.p_fake AS real_p_fake, fake.p_fake > real.p_fake AS is_ordered
FROM video AS fake JOIN video AS real ON real.path = fake.original
WHERE fake.label = 'FAKE' AND real.label = 'REAL';
