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
    network_us         INTEGER
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
