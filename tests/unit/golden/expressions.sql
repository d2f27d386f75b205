-- Subject()
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"

-- Subject & 'weight > 20'
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE (weight > 20)

-- Subject & "species LIKE 'Mus%'"
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE (species LIKE 'Mus%%')

-- Subject & "species = '100%' OR weight IS NULL"
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE (species = '100%%' OR weight IS NULL)

-- Subject & {'subject_id': 'M1'}
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE "t1"."subject_id" = %(p0)s::text
-- {'p0': 'M1'}

-- Subject & {'subject_id': 'M1', 'species': 'Mus', 'other': 1}
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE ("t1"."subject_id" = %(p0)s::text AND "t1"."species" = %(p1)s::text)
-- {'p0': 'M1', 'p1': 'Mus'}

-- Subject & {'weight': 20.5}
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE "t1"."weight" = %(p0)s::real
-- {'p0': 20.5}

-- Subject & {'weight': None}
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE "t1"."weight" IS NULL

-- Subject & {'subject_id': ['M1', 'M2']}
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE "t1"."subject_id" = ANY (%(p0)s::text[])
-- {'p0': ['M1', 'M2']}

-- Subject & {'subject_id': ['M1', None]}
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE ("t1"."subject_id" = ANY (%(p0)s::text[]) OR "t1"."subject_id" IS NULL)
-- {'p0': ['M1']}

-- Subject & [{'subject_id': 'M1'}, {'subject_id': 'M2'}]
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE "t1"."subject_id" = ANY (%(p0)s::text[])
-- {'p0': ['M1', 'M2']}

-- Session & [{'subject_id': 'M1', 'session_idx': 1}, {'subject_id': 'M1', 'session_idx': 2}]
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE ("t1"."subject_id", "t1"."session_idx") IN (SELECT *
  FROM unnest(%(p0)s::text[], %(p1)s::integer[]))
-- {'p0': ['M1', 'M1'], 'p1': [1, 2]}

-- Session & [{'subject_id': 'M1'}, {'session_idx': 2}]
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE ("t1"."subject_id" = %(p0)s::text OR "t1"."session_idx" = %(p1)s::integer)
-- {'p0': 'M1', 'p1': 2}

-- Session - [{'subject_id': 'M1', 'session_idx': 1}, {'subject_id': 'M1', 'session_idx': 2}]
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE NOT EXISTS (SELECT 1
  FROM unnest(%(p0)s::text[], %(p1)s::integer[]) AS "t2" ("c1", "c2")
  WHERE "t2"."c1" = "t1"."subject_id" AND "t2"."c2" = "t1"."session_idx")
-- {'p0': ['M1', 'M1'], 'p1': [1, 2]}

-- Session - {'subject_id': ['M1', 'M2']}
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE NOT EXISTS (SELECT 1
  FROM unnest(%(p0)s::text[]) AS "t2" ("c1")
  WHERE "t2"."c1" = "t1"."subject_id")
-- {'p0': ['M1', 'M2']}

-- Session - {'rig': [1, 2]}
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE NOT ("t1"."rig" = ANY (%(p0)s::integer[]))
-- {'p0': [1, 2]}

-- Subject & [{'subject_id': 'M1'}, 'weight > 20']
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE ("t1"."subject_id" = %(p0)s::text OR (weight > 20))
-- {'p0': 'M1'}

-- Subject & dj.AndList([{'subject_id': 'M1'}, 'weight > 20'])
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE ("t1"."subject_id" = %(p0)s::text AND (weight > 20))
-- {'p0': 'M1'}

-- Subject & dj.Not({'subject_id': 'M1'})
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE NOT ("t1"."subject_id" = %(p0)s::text)
-- {'p0': 'M1'}

-- Subject - {'subject_id': 'M1', 'species': 'Mus'}
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE NOT (("t1"."subject_id" = %(p0)s::text AND "t1"."species" = %(p1)s::text))
-- {'p0': 'M1', 'p1': 'Mus'}

-- Subject - ['weight > 20', {'species': 'Mus'}]
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE NOT (((weight > 20) OR "t1"."species" = %(p0)s::text))
-- {'p0': 'Mus'}

-- Subject & True
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"

-- Subject & False
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE FALSE

-- Subject - []
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"

-- Subject & []
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE FALSE

-- Session & date(2026, 1, 6).__format__("session_date = '%Y-%m-%d'")
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE (session_date = '2026-01-06')

-- Session & {'session_date': '2026-01-06'}
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE "t1"."session_date" = %(p0)s::date
-- {'p0': datetime.date(2026, 1, 6)}

-- Trial & {'reaction_time': 0.25, 'correct': True}
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus", "t1"."correct", "t1"."reaction_time"
  FROM "lab"."trial" AS "t1"
  WHERE ("t1"."reaction_time" = %(p0)s::numeric AND "t1"."correct" = %(p1)s::boolean)
-- {'p0': Decimal('0.25'), 'p1': True}

-- Surgery & {'outcome': 'good'}
SELECT "t1"."subject_id", "t1"."surgery_rig", "t1"."weight", "t1"."outcome"
  FROM "lab"."surgery" AS "t1"
  WHERE "t1"."outcome" = %(p0)s::"lab"."enum_26453b74"
-- {'p0': 'good'}

-- Note & {'note_id': UUID(int=7), 'code': 'ab'}
SELECT "t1"."note_id", "t1"."note", "t1"."stamp", "t1"."code", "t1"."raw", "t1"."blob"
  FROM "lab"."note" AS "t1"
  WHERE ("t1"."note_id" = %(p0)s::uuid AND "t1"."code" = %(p1)s::bpchar)
-- {'p0': UUID('00000000-0000-0000-0000-000000000007'), 'p1': 'ab'}

-- Note & {'stamp': '2026-01-06 10:00:00'}
SELECT "t1"."note_id", "t1"."note", "t1"."stamp", "t1"."code", "t1"."raw", "t1"."blob"
  FROM "lab"."note" AS "t1"
  WHERE "t1"."stamp" = %(p0)s::timestamp
-- {'p0': datetime.datetime(2026, 1, 6, 10, 0)}

-- Rig & {'meta.probe.depth': 3}
SELECT "t1"."rig", "t1"."room", "t1"."meta"
  FROM "lab"."rig" AS "t1"
  WHERE jsonb_extract_path("t1"."meta", 'probe', 'depth') = %(p0)s::jsonb
-- {'p0': '3'}

-- Rig & {'meta.probe.name': 'A'}
SELECT "t1"."rig", "t1"."room", "t1"."meta"
  FROM "lab"."rig" AS "t1"
  WHERE jsonb_extract_path_text("t1"."meta", 'probe', 'name') = %(p0)s::text
-- {'p0': 'A'}

-- Rig & {'meta.list[2]:decimal(5,2)': 1.5}
SELECT "t1"."rig", "t1"."room", "t1"."meta"
  FROM "lab"."rig" AS "t1"
  WHERE CAST(jsonb_extract_path_text("t1"."meta", 'list', '2') AS numeric(5,2)) = %(p0)s::numeric
-- {'p0': Decimal('1.50')}

-- Rig & {'meta.flag': True, 'meta.gone': None}
SELECT "t1"."rig", "t1"."room", "t1"."meta"
  FROM "lab"."rig" AS "t1"
  WHERE (jsonb_extract_path("t1"."meta", 'flag') = %(p0)s::jsonb AND jsonb_extract_path_text("t1"."meta", 'gone') IS NULL)
-- {'p0': 'true'}

-- Rig.proj(depth='meta.probe.depth:float', name='meta.probe.name')
SELECT "t1"."rig", CAST(jsonb_extract_path_text("t1"."meta", 'probe', 'depth') AS double precision) AS "depth", jsonb_extract_path_text("t1"."meta", 'probe', 'name') AS "name"
  FROM "lab"."rig" AS "t1"

-- Rig.proj(depth='meta.depth:int32') & 'depth > 3'
SELECT "t2"."rig", "t2"."depth"
  FROM (SELECT "t1"."rig", CAST(jsonb_extract_path_text("t1"."meta", 'depth') AS integer) AS "depth"
  FROM "lab"."rig" AS "t1") AS "t2"
  WHERE (depth > 3)

-- Rig.proj(depth='meta.depth:int32') & {'depth': 3}
SELECT "t2"."rig", "t2"."depth"
  FROM (SELECT "t1"."rig", CAST(jsonb_extract_path_text("t1"."meta", 'depth') AS integer) AS "depth"
  FROM "lab"."rig" AS "t1") AS "t2"
  WHERE "t2"."depth" = %(p0)s::integer
-- {'p0': 3}

-- Session & Subject
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM "lab"."subject" AS "t2"
  WHERE "t2"."subject_id" = "t1"."subject_id")

-- Session - Subject
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE NOT EXISTS (SELECT 1
  FROM "lab"."subject" AS "t2"
  WHERE "t2"."subject_id" = "t1"."subject_id")

-- Session & (Subject & {'species': 'Mus'})
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM "lab"."subject" AS "t2"
  WHERE "t2"."species" = %(p0)s::text AND "t2"."subject_id" = "t1"."subject_id")
-- {'p0': 'Mus'}

-- Session & [Subject & {'species': 'Mus'}, 'session_idx = 1']
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE (EXISTS (SELECT 1
  FROM "lab"."subject" AS "t2"
  WHERE "t2"."species" = %(p0)s::text AND "t2"."subject_id" = "t1"."subject_id") OR (session_idx = 1))
-- {'p0': 'Mus'}

-- Session & Rig
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM "lab"."rig" AS "t2"
  WHERE "t2"."rig" = "t1"."rig")

-- Subject & Rig
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM "lab"."rig" AS "t2")

-- Subject - (Session & (Rig & {'room': 'A'}))
SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE NOT EXISTS (SELECT 1
  FROM "lab"."session" AS "t2"
  WHERE EXISTS (SELECT 1
  FROM "lab"."rig" AS "t3"
  WHERE "t3"."room" = %(p0)s::text AND "t3"."rig" = "t2"."rig") AND "t2"."subject_id" = "t1"."subject_id")
-- {'p0': 'A'}

-- Subject & (Session & 'weight > 3')
WITH "t3" AS (SELECT "t2"."subject_id", "t2"."session_idx", "t2"."rig", "t2"."session_date", "t2"."note"
  FROM "lab"."session" AS "t2"
  WHERE (weight > 3)) SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM "t3"
  WHERE "t3"."subject_id" = "t1"."subject_id")

-- Session & Session
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM "lab"."session" AS "t2"
  WHERE "t2"."subject_id" = "t1"."subject_id" AND "t2"."session_idx" = "t1"."session_idx")

-- Session & (Session & 'session_idx = 1')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM "lab"."session" AS "t2"
  WHERE (session_idx = 1) AND "t2"."subject_id" = "t1"."subject_id" AND "t2"."session_idx" = "t1"."session_idx")

-- Session & dj.U('subject_id')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"

-- Session & (dj.U('session_date') & Session)
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM (SELECT DISTINCT "t2"."session_date"
  FROM "lab"."session" AS "t2") AS "t3"
  WHERE "t3"."session_date" = "t1"."session_date")

-- Session.proj()
SELECT "t1"."subject_id", "t1"."session_idx"
  FROM "lab"."session" AS "t1"

-- Session.proj('note')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."note"
  FROM "lab"."session" AS "t1"

-- Session.proj(...)
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"

-- Session.proj(..., '-note')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date"
  FROM "lab"."session" AS "t1"

-- Session.proj(day='session_date')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."session_date" AS "day"
  FROM "lab"."session" AS "t1"

-- Session.proj(..., idx='session_idx')
SELECT "t1"."subject_id", "t1"."session_idx" AS "idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"

-- Session.proj('note', copy='(note)')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."note", "t1"."note" AS "copy"
  FROM "lab"."session" AS "t1"

-- Session.proj(next='session_idx + 1', percent='session_idx % 2')
SELECT "t1"."subject_id", "t1"."session_idx", (session_idx + 1) AS "next", (session_idx %% 2) AS "percent"
  FROM "lab"."session" AS "t1"

-- Session.proj(next='session_idx + 1').proj('next', after='next + 1')
SELECT "t2"."subject_id", "t2"."session_idx", "t2"."next", (next + 1) AS "after"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx", (session_idx + 1) AS "next"
  FROM "lab"."session" AS "t1") AS "t2"

-- Session.proj(next='session_idx + 1') & 'next = 2'
SELECT "t2"."subject_id", "t2"."session_idx", "t2"."next"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx", (session_idx + 1) AS "next"
  FROM "lab"."session" AS "t1") AS "t2"
  WHERE (next = 2)

-- Session.proj(next='session_idx + 1') & {'session_idx': 1}
SELECT "t1"."subject_id", "t1"."session_idx", (session_idx + 1) AS "next"
  FROM "lab"."session" AS "t1"
  WHERE "t1"."session_idx" = %(p0)s::integer
-- {'p0': 1}

-- Session.proj(idx='session_idx') & 'idx = 1'
SELECT "t2"."subject_id", "t2"."idx"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx" AS "idx"
  FROM "lab"."session" AS "t1") AS "t2"
  WHERE (idx = 1)

-- Session.proj(idx='session_idx') & {'idx': 1}
SELECT "t1"."subject_id", "t1"."session_idx" AS "idx"
  FROM "lab"."session" AS "t1"
  WHERE "t1"."session_idx" = %(p0)s::integer
-- {'p0': 1}

-- Session.proj() & 'note = 1'
SELECT "t2"."subject_id", "t2"."session_idx"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx"
  FROM "lab"."session" AS "t1") AS "t2"
  WHERE (note = 1)

-- Session * Subject
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note", "t2"."species", "t2"."weight", "t2"."born"
  FROM "lab"."session" AS "t1" JOIN "lab"."subject" AS "t2" USING ("subject_id")

-- Subject * Session
SELECT "t1"."subject_id", "t2"."session_idx", "t2"."rig", "t2"."session_date", "t2"."note", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1" JOIN "lab"."session" AS "t2" USING ("subject_id")

-- Subject * Session * Trial & {'species': 'Mus'}
SELECT "t1"."subject_id", "t2"."session_idx", "t3"."trial_idx", "t3"."stimulus", "t3"."correct", "t3"."reaction_time", "t2"."rig", "t2"."session_date", "t2"."note", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1" JOIN "lab"."session" AS "t2" USING ("subject_id") JOIN "lab"."trial" AS "t3" USING ("subject_id", "session_idx")
  WHERE "t1"."species" = %(p0)s::text
-- {'p0': 'Mus'}

-- Subject * Session * Trial * Rig & {'species': 'Mus'} & 'reaction_time < 0.5' & {'room': 'A'}
SELECT "t1"."subject_id", "t2"."session_idx", "t3"."trial_idx", "t3"."stimulus", "t3"."correct", "t3"."reaction_time", "t2"."rig", "t2"."session_date", "t2"."note", "t1"."species", "t1"."weight", "t1"."born", "t4"."room", "t4"."meta"
  FROM "lab"."subject" AS "t1" JOIN "lab"."session" AS "t2" USING ("subject_id") JOIN "lab"."trial" AS "t3" USING ("subject_id", "session_idx") JOIN "lab"."rig" AS "t4" USING ("rig")
  WHERE "t1"."species" = %(p0)s::text AND (reaction_time < 0.5) AND "t4"."room" = %(p1)s::text
-- {'p0': 'Mus', 'p1': 'A'}

-- Subject * Session * Trial * Rig * Surgery.proj('outcome') & {'outcome': 'bad', 'session_idx': 1}
SELECT "t1"."subject_id", "t2"."session_idx", "t3"."trial_idx", "t3"."stimulus", "t3"."correct", "t3"."reaction_time", "t2"."rig", "t2"."session_date", "t2"."note", "t1"."species", "t1"."weight", "t1"."born", "t4"."room", "t4"."meta", "t5"."outcome"
  FROM "lab"."subject" AS "t1" JOIN "lab"."session" AS "t2" USING ("subject_id") JOIN "lab"."trial" AS "t3" USING ("subject_id", "session_idx") JOIN "lab"."rig" AS "t4" USING ("rig") JOIN "lab"."surgery" AS "t5" USING ("subject_id")
  WHERE ("t5"."outcome" = %(p0)s::"lab"."enum_26453b74" AND "t2"."session_idx" = %(p1)s::integer)
-- {'p0': 'bad', 'p1': 1}

-- Rig * Subject
SELECT "t1"."rig", "t2"."subject_id", "t1"."room", "t1"."meta", "t2"."species", "t2"."weight", "t2"."born"
  FROM "lab"."rig" AS "t1" CROSS JOIN "lab"."subject" AS "t2"

-- Session * (Trial & 'correct')
SELECT "t1"."subject_id", "t1"."session_idx", "t2"."trial_idx", "t2"."stimulus", "t2"."correct", "t2"."reaction_time", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1" JOIN "lab"."trial" AS "t2" USING ("subject_id", "session_idx")
  WHERE (correct)

-- (Subject & 'weight > 20') * Surgery.proj()
SELECT "t3"."subject_id", "t3"."species", "t3"."weight", "t3"."born"
  FROM (SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE (weight > 20)) AS "t3" JOIN "lab"."surgery" AS "t2" USING ("subject_id")

-- (Subject & 'weight > 20') * Surgery.proj(w='weight')
SELECT "t3"."subject_id", "t3"."species", "t3"."weight", "t3"."born", "t2"."weight" AS "w"
  FROM (SELECT "t1"."subject_id", "t1"."species", "t1"."weight", "t1"."born"
  FROM "lab"."subject" AS "t1"
  WHERE (weight > 20)) AS "t3" JOIN "lab"."surgery" AS "t2" USING ("subject_id")

-- Pair * Session.proj('note', first_idx='session_idx')
SELECT "t1"."subject_id", "t1"."first_idx", "t1"."second_idx", "t1"."distance", "t2"."note"
  FROM "lab"."pair" AS "t1" JOIN "lab"."session" AS "t2" ON "t1"."subject_id" = "t2"."subject_id" AND "t1"."first_idx" = "t2"."session_idx"

-- Session.join(Rig, left=True)
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note", "t2"."room", "t2"."meta"
  FROM "lab"."session" AS "t1" LEFT JOIN "lab"."rig" AS "t2" USING ("rig")

-- Session.extend(Rig & {'room': 'A'})
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note", "t3"."room", "t3"."meta"
  FROM "lab"."session" AS "t1" LEFT JOIN (SELECT "t2"."rig", "t2"."room", "t2"."meta"
  FROM "lab"."rig" AS "t2"
  WHERE "t2"."room" = %(p0)s::text) AS "t3" USING ("rig")
-- {'p0': 'A'}

-- Trial.extend(Session)
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus", "t1"."correct", "t1"."reaction_time", "t2"."rig", "t2"."session_date", "t2"."note"
  FROM "lab"."trial" AS "t1" LEFT JOIN "lab"."session" AS "t2" USING ("subject_id", "session_idx")

-- Session * Session
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1" JOIN "lab"."session" AS "t2" USING ("subject_id", "session_idx")

-- Subject.aggr(Session, n='count(session_idx)')
SELECT "t1"."subject_id", (count(session_idx)) AS "n"
  FROM "lab"."subject" AS "t1" LEFT JOIN "lab"."session" AS "t2" USING ("subject_id")
  GROUP BY "t1"."subject_id"

-- Subject.aggr(Session, 'species', n='count(session_idx)', last='max(session_date)')
SELECT "t1"."subject_id", "t1"."species", (count(session_idx)) AS "n", (max(session_date)) AS "last"
  FROM "lab"."subject" AS "t1" LEFT JOIN "lab"."session" AS "t2" USING ("subject_id")
  GROUP BY "t1"."subject_id", "t1"."species"

-- Subject.aggr(Session, n='count(*)', exclude_nonmatching=True)
SELECT "t1"."subject_id", (count(*)) AS "n"
  FROM "lab"."subject" AS "t1" JOIN "lab"."session" AS "t2" USING ("subject_id")
  GROUP BY "t1"."subject_id"

-- Subject.aggr(Session & 'session_idx > 1', n='count(session_idx)') & 'n > 1'
SELECT "t4"."subject_id", "t4"."n"
  FROM (SELECT "t1"."subject_id", (count(session_idx)) AS "n"
  FROM "lab"."subject" AS "t1" LEFT JOIN (SELECT "t2"."subject_id", "t2"."session_idx", "t2"."rig", "t2"."session_date", "t2"."note"
  FROM "lab"."session" AS "t2"
  WHERE (session_idx > 1)) AS "t3" USING ("subject_id")
  GROUP BY "t1"."subject_id") AS "t4"
  WHERE (n > 1)

-- Session.aggr(Trial & 'correct', ..., mean='avg(reaction_time)')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note", (avg(reaction_time)) AS "mean"
  FROM "lab"."session" AS "t1" LEFT JOIN (SELECT "t2"."subject_id", "t2"."session_idx", "t2"."trial_idx", "t2"."stimulus", "t2"."correct", "t2"."reaction_time"
  FROM "lab"."trial" AS "t2"
  WHERE (correct)) AS "t3" USING ("subject_id", "session_idx")
  GROUP BY "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"

-- Subject.aggr(Subject * Session, w='max(weight)')
SELECT "t1"."subject_id", (max(weight)) AS "w"
  FROM "lab"."subject" AS "t1" LEFT JOIN (SELECT "t2"."subject_id", "t3"."session_idx", "t3"."rig", "t3"."session_date", "t3"."note"
  FROM "lab"."subject" AS "t2" JOIN "lab"."session" AS "t3" USING ("subject_id")) AS "t4" USING ("subject_id")
  GROUP BY "t1"."subject_id"

-- Subject.aggr(Surgery.proj('surgery_rig'), kind='species', w='max(surgery_rig)')
SELECT "t1"."subject_id", "t1"."species" AS "kind", (max(surgery_rig)) AS "w"
  FROM "lab"."subject" AS "t1" LEFT JOIN "lab"."surgery" AS "t2" USING ("subject_id")
  GROUP BY "t1"."subject_id", "t1"."species"

-- dj.U('species') & Subject
SELECT DISTINCT "t1"."species"
  FROM "lab"."subject" AS "t1"

-- dj.U('species').aggr(Subject, n='count(*)')
SELECT "t1"."species", (count(*)) AS "n"
  FROM "lab"."subject" AS "t1"
  GROUP BY "t1"."species"

-- dj.U().aggr(Trial, n='count(*)', fastest='min(reaction_time)')
SELECT (count(*)) AS "n", (min(reaction_time)) AS "fastest"
  FROM "lab"."trial" AS "t1"

-- dj.U('subject_id', 'session_idx').aggr(Trial, n='count(*)') & 'n >= 10'
SELECT "t2"."subject_id", "t2"."session_idx", "t2"."n"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx", (count(*)) AS "n"
  FROM "lab"."trial" AS "t1"
  GROUP BY "t1"."subject_id", "t1"."session_idx") AS "t2"
  WHERE (n >= 10)

-- Session & (dj.U('subject_id', 'session_idx').aggr(Trial, n='count(*)') & 'n >= 10')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."rig", "t1"."session_date", "t1"."note"
  FROM "lab"."session" AS "t1"
  WHERE EXISTS (SELECT 1
  FROM (SELECT "t2"."subject_id", "t2"."session_idx", (count(*)) AS "n"
  FROM "lab"."trial" AS "t2"
  GROUP BY "t2"."subject_id", "t2"."session_idx") AS "t3"
  WHERE (n >= 10) AND "t3"."subject_id" = "t1"."subject_id" AND "t3"."session_idx" = "t1"."session_idx")

-- Subject.proj() + Surgery.proj()
SELECT "t3"."subject_id"
  FROM ((SELECT "t1"."subject_id"
  FROM "lab"."subject" AS "t1")
  UNION (SELECT "t2"."subject_id"
  FROM "lab"."surgery" AS "t2")) AS "t3"

-- Subject.proj('species') + Surgery.proj('outcome')
SELECT "t5"."subject_id", "t5"."species", "t5"."outcome"
  FROM (SELECT "subject_id", "t3"."species", "t4"."outcome"
  FROM (SELECT "t1"."subject_id", "t1"."species"
  FROM "lab"."subject" AS "t1") AS "t3"
  FULL JOIN (SELECT "t2"."subject_id", "t2"."outcome"
  FROM "lab"."surgery" AS "t2") AS "t4" USING ("subject_id")) AS "t5"

-- (Subject.proj('species') + Surgery.proj('outcome')) & {'outcome': 'bad'}
SELECT "t5"."subject_id", "t5"."species", "t5"."outcome"
  FROM (SELECT "subject_id", "t3"."species", "t4"."outcome"
  FROM (SELECT "t1"."subject_id", "t1"."species"
  FROM "lab"."subject" AS "t1") AS "t3"
  FULL JOIN (SELECT "t2"."subject_id", "t2"."outcome"
  FROM "lab"."surgery" AS "t2") AS "t4" USING ("subject_id")) AS "t5"
  WHERE "t5"."outcome" = %(p0)s::"lab"."enum_26453b74"
-- {'p0': 'bad'}

-- Trial & dj.Top(3, 'reaction_time DESC')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus", "t1"."correct", "t1"."reaction_time"
  FROM "lab"."trial" AS "t1"
  ORDER BY "t1"."reaction_time" DESC LIMIT %(p0)s OFFSET %(p1)s
-- {'p0': 3, 'p1': 0}

-- Trial & dj.Top(3, ['correct', 'KEY'], offset=2)
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus", "t1"."correct", "t1"."reaction_time"
  FROM "lab"."trial" AS "t1"
  ORDER BY "t1"."correct", "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx" LIMIT %(p0)s OFFSET %(p1)s
-- {'p0': 3, 'p1': 2}

-- (Trial & dj.Top(3, 'reaction_time')) & 'correct'
SELECT "t2"."subject_id", "t2"."session_idx", "t2"."trial_idx", "t2"."stimulus", "t2"."correct", "t2"."reaction_time"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus", "t1"."correct", "t1"."reaction_time"
  FROM "lab"."trial" AS "t1"
  ORDER BY "t1"."reaction_time" LIMIT %(p0)s OFFSET %(p1)s) AS "t2"
  WHERE (correct)
-- {'p0': 3, 'p1': 0}

-- Trial & dj.Top(10, 'reaction_time') & dj.Top(2, None)
SELECT "t2"."subject_id", "t2"."session_idx", "t2"."trial_idx", "t2"."stimulus", "t2"."correct", "t2"."reaction_time"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus", "t1"."correct", "t1"."reaction_time"
  FROM "lab"."trial" AS "t1"
  ORDER BY "t1"."reaction_time" LIMIT %(p0)s OFFSET %(p1)s) AS "t2"
  ORDER BY "t2"."reaction_time" LIMIT %(p2)s OFFSET %(p3)s
-- {'p0': 10, 'p1': 0, 'p2': 2, 'p3': 0}

-- (Trial & dj.Top(3)).proj('stimulus')
SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus"
  FROM "lab"."trial" AS "t1"
  ORDER BY "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx" LIMIT %(p0)s OFFSET %(p1)s
-- {'p0': 3, 'p1': 0}

-- (Trial & dj.Top(3)) * Session
SELECT "t2"."subject_id", "t2"."session_idx", "t2"."trial_idx", "t2"."stimulus", "t2"."correct", "t2"."reaction_time", "t3"."rig", "t3"."session_date", "t3"."note"
  FROM (SELECT "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx", "t1"."stimulus", "t1"."correct", "t1"."reaction_time"
  FROM "lab"."trial" AS "t1"
  ORDER BY "t1"."subject_id", "t1"."session_idx", "t1"."trial_idx" LIMIT %(p0)s OFFSET %(p1)s) AS "t2" JOIN "lab"."session" AS "t3" USING ("subject_id", "session_idx")
-- {'p0': 3, 'p1': 0}
