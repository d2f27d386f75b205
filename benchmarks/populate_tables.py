"""The tables of the benchmark; run by either system, which provides dj, schema, np, random and time."""
# ruff: noqa: F821 - the names come from whoever runs it


@schema
class Subject(dj.Manual):
    definition = """
    subject_id : varchar(16)
    ---
    species : varchar(50)
    """


@schema
class Session(dj.Manual):
    definition = """
    -> Subject
    session_idx : int32
    ---
    session_date : date
    """

    class Trial(dj.Part):
        definition = """
        -> master
        trial_idx : int32
        ---
        stimulus : varchar(50)
        response : varchar(50)
        correct : bool
        reaction_time : decimal(3,2) # seconds
        """


def fill(sessions):
    """Insert subjects, sessions, and fifteen trials for each."""
    dice = random.Random(42)
    Subject.insert([{"subject_id": f"M{i:03}", "species": "Mus musculus"} for i in range(20)])
    rows = [
        {"subject_id": f"M{i % 20:03}", "session_idx": i, "session_date": "2026-01-06"}
        for i in range(sessions)
    ]
    Session.insert(rows)
    Session.Trial.insert(
        [
            {
                "subject_id": row["subject_id"],
                "session_idx": row["session_idx"],
                "trial_idx": i + 1,
                "stimulus": "left",
                "response": "right",
                "correct": dice.random() > 0.3,
                "reaction_time": round(dice.uniform(0.2, 0.8), 2),
            }
            for row in rows
            for i in range(15)
        ]
    )


@schema
class SessionSummary(dj.Computed):
    definition = """
    -> Session
    ---
    n_trials : int32
    n_correct : int32
    accuracy : float32
    mean_rt : float32 # mean reaction time (seconds)
    """

    def make(self, key):
        correct, rt = (Session.Trial & key).to_arrays("correct", "reaction_time")
        rt = rt.astype(float)
        n_trials = len(correct)
        n_correct = sum(correct) if n_trials else 0
        self.insert1(
            {
                **key,
                "n_trials": n_trials,
                "n_correct": n_correct,
                "accuracy": n_correct / n_trials if n_trials else 0.0,
                "mean_rt": np.mean(rt) if n_trials else 0.0,
            }
        )


@schema
class TrialAnalysis(dj.Computed):
    definition = """
    -> Session
    ---
    n_analyzed : int32
    """

    class TrialResult(dj.Part):
        definition = """
        -> master
        trial_idx : int32
        ---
        rt_percentile : float32 # reaction time percentile within session
        is_fast : bool # below median reaction time
        """

    def make(self, key):
        trial_data = (Session.Trial & key).to_dicts()
        if not trial_data:
            self.insert1({**key, "n_analyzed": 0})
            return
        rts = [float(t["reaction_time"]) for t in trial_data]
        median_rt = np.median(rts)
        self.insert1({**key, "n_analyzed": len(trial_data)})
        parts = []
        for t in trial_data:
            rt = float(t["reaction_time"])
            percentile = sum(r <= rt for r in rts) / len(rts) * 100
            parts.append(
                {
                    **key,
                    "trial_idx": t["trial_idx"],
                    "rt_percentile": float(percentile),
                    "is_fast": rt < median_rt,
                }
            )
        self.TrialResult.insert(parts)


@schema
class Trivial(dj.Computed):
    definition = """
    -> Session
    ---
    x : int32
    """

    def make(self, key):
        self.insert1({**key, "x": key["session_idx"] * 2})


@schema
class TwoReads(dj.Computed):
    definition = """
    -> Session
    ---
    n : int32
    """

    def make(self, key):
        species = (Subject & {"subject_id": key["subject_id"]}).fetch1("species")
        date = (Session & key).fetch1("session_date")
        n = len(Session.Trial & key)
        self.insert1({**key, "n": n + len(species) + date.day})


@schema
class Sleeping(dj.Computed):
    definition = """
    -> Session
    ---
    x : int32
    """

    def make(self, key):
        time.sleep(0.02)
        self.insert1({**key, "x": 0})
