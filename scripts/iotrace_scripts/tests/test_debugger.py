"""What scripts/gdb asks of a trace, and how its replay is taken from place to place."""

import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from iotrace_scripts import elf, sources
from iotrace_scripts.debugger import answers, attribution, guest, question, questions
from iotrace_scripts.debugger.questions import Moment, Trace
from iotrace_scripts.say import Problem
from iotrace_scripts.standstill import Subject

TASK = {"comm": "dd", "pid": 7, "tgid": 7}


def stages(*named):
    """A bio's, as `report` has them."""
    return [{"stage": stage, "clock": clock} for stage, clock in named]


REPORT = {
    "ios": [
        {"id": 1, "kind": "syscall", "syscall": "write", "task": TASK, "entry": {"clock": 100}, "return": {"clock": 900}, "bios": [5, 6]},
        {"id": 2, "kind": "syscall", "syscall": "fsync", "task": TASK, "entry": {"clock": 300}, "return": None, "bios": []},
    ],
    "bios": [
        {"id": 5, "complete": True, "request": 3, "stages": stages(("queued", 200), ("ended", 950))},
        {"id": 6, "complete": True, "request": 4, "stages": stages(("queued", 250), ("doorbell", 400), ("ended", 800))},
    ],
}


def event(number, clock, name="f", at="entry"):
    """An event, as `events` has it."""
    return {"number": number, "clock": clock, "name": name, "at": at, "task": TASK, "context": "task", "fields": []}


def trace(events=(), of_io=()):
    """A trace that has these, whose analyzer is played by a table. `of_io`: numbers of events of each I/O, by its number."""
    made = Trace(Path("t.iot"), Path("analyzer"))
    made.__dict__["report"] = REPORT
    made.__dict__["info"] = {"file": {"last_clock": 1_000_000, "events": len(events)}, "marks": [],
                             "event_types": [{"name": e["name"]} for e in events]}

    def answer(_command, *arguments):
        options = dict(zip(arguments[::2], arguments[1::2]))
        first, last = map(int, options.get("--clock", "0..1000000").split(".."))
        own = dict(of_io).get(int(options.get("--io", 0)))
        found = [e for e in events if first <= e["clock"] <= last and options.get("--function", "") in e["name"]
                 and (own is None or e["number"] in own)]
        return {"events": found} if found else None

    made._json = answer
    return made


class Moments(unittest.TestCase):
    def test_an_io_has_a_call_a_return_and_the_stages_of_its_bios(self):
        asked = trace()
        self.assertEqual(asked.moment(io=1), Moment(100, "I/O 1, write by dd/7: call"))
        self.assertEqual(asked.moment(io=1, at="return").clock, 900)
        self.assertEqual(asked.moment(io=1, at="queue"), Moment(200, "I/O 1, write by dd/7, bio 5: queued"))
        # the first of its bios that has the stage
        self.assertEqual(asked.moment(io=1, at="doorbell"), Moment(400, "I/O 1, write by dd/7, bio 6: doorbell"))

    def test_a_bio_has_stages_by_words_letters_and_names(self):
        self.assertEqual([trace().moment(bio=6, at=at).clock for at in ("", "queue", "Q", "queued", "end", "E")],
                         [250, 250, 250, 250, 800, 800])

    def test_what_is_missing_is_named(self):
        for wanted, said in (({"io": 9}, "no I/O 9"), ({"bio": 9}, "no bio 9"), ({"io": 2, "at": "irq"}, "no bios"),
                             ({"io": 2, "at": "return"}, "does not return"),
                             ({"bio": 6, "at": "irq"}, "has no stage irq: it has queue, doorbell, end")):
            with self.assertRaisesRegex(Problem, said):
                trace().moment(**wanted)


class Near(unittest.TestCase):
    def test_windows_follow_one_another_without_a_gap(self):
        for forward in (True, False):
            found = list(questions.windows(500_000, forward, 1_000_000))
            inner = sorted(found)
            self.assertEqual([last + 1 for _, last in inner[:-1]], [first for first, _ in inner[1:]])
            self.assertEqual((inner[0][0], inner[-1][1]), (500_001, 1_000_000) if forward else (0, 499_999))

    def test_the_nearest_event_of_exactly_this_name(self):
        asked = trace([event(1, 10), event(2, 40, "submit_bio"), event(3, 50, "submit_bio_noacct"), event(4, 900_000, "submit_bio")])
        self.assertEqual(asked.near(100, False)["number"], 3)
        self.assertEqual(asked.near(100, False, "submit_bio")["number"], 2)
        self.assertEqual(asked.near(100, True, "submit_bio")["number"], 4)
        self.assertIsNone(asked.near(40, False, "submit_bio"))
        self.assertEqual(trace([event(1, 10, "f.isra.0")]).near(100, False, "f.isra.0")["number"], 1)


class Working(unittest.TestCase):
    def test_the_io_is_that_of_the_last_event_whatever_the_context(self):
        asked = trace([event(1, 150), event(2, 350), event(3, 940), event(4, 960)], {1: {1, 3}, 2: {2}}.items())
        self.assertEqual([io and io["id"] for io in map(asked.io_at, (160, 360, 945, 990, 90))], [1, 2, 1, None, None])


class Attribution(unittest.TestCase):
    def test_answers_are_of_the_call_that_executes_them_or_of_the_events_io(self):
        irq = {**event(2, 850), "context": "hardirq"}
        asked = trace([event(1, 150), irq, event(3, 980)], {1: {2}, 2: set()}.items())
        found = [answers.Answer(clock, "f", "dd", 7) for clock in (160, 851, 990)]
        asked.__dict__["report"] = {**REPORT, "ios": [{**io, "file": None} for io in REPORT["ios"][:1]]}
        attribution.attribute(asked, found)
        self.assertEqual([(one.io, one.bios) for one in found], [(1, []), (1, [5]), (None, [])])


class Seeking(unittest.TestCase):
    def replay(self, folder, first=1000):
        """One whose QEMU counts as it is told."""
        made = guest.Replay([], folder, Subject("lsi53c895a", folder), first, True)
        self.addCleanup(made.close)
        made.now, made.did = first, []
        made.clock = lambda: made.now

        def go(clock):
            made.did.append(clock)
            made.now = clock

        made._go, made.monitor = go, lambda command: made.did.append(command) or ""
        return made

    def test_snapshots_are_made_before_what_is_far_and_not_again(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(guest.Replay, "_has_room", lambda _: True):
            replay = self.replay(Path(folder))
            far = 1000 + 2 * guest.FAR
            replay.seek(far)
            self.assertEqual(replay.did, [far - guest.BEFORE, "savevm visited1", far])
            replay.did.clear()
            replay.seek(far + 5)
            replay.seek(far - 5)
            self.assertEqual(replay.did, [far + 5, far - 5])
            self.assertEqual(replay.edges(far), {far - 1, 1000, far - guest.BEFORE - 1})

    def test_only_so_many_are_kept(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(guest.Replay, "_has_room", lambda _: True):
            replay = self.replay(Path(folder))
            for number in range(1, guest.KEPT + 2):
                replay.seek(1000 + 2 * number * guest.FAR)
            self.assertEqual(len(replay.made), guest.KEPT)
            self.assertIn("delvm visited1", replay.did)

    def test_before_the_begin_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(Problem, "before the begin of the recording, clock 1000"):
                self.replay(Path(folder)).seek(999)


class Questions(unittest.TestCase):
    def test_places_and_fields(self):
        asked = question.parse("fs/iomap/direct-io.c:323 bio->bi_opf:x32 name=f->f_path.dentry->d_name.name:string ((struct a *)p)->b x==1?2:3")
        self.assertEqual((asked.place.file, asked.place.line, asked.place.function), ("fs/iomap/direct-io.c", 323, ""))
        self.assertEqual([(one.name, one.expression, one.form) for one in asked.fields], [
            ("bio->bi_opf", "bio->bi_opf", "x32"), ("name", "f->f_path.dentry->d_name.name", "string"),
            ("((struct a *)p)->b", "((struct a *)p)->b", ""), ("x==1?2:3", "x==1?2:3", "")])
        for text, wanted in (("f", (0, 0, False, "")), ("f%return", (0, 0, True, "")), ("f+0x10", (0, 16, False, "")), ("f:3", (3, 0, False, "")),
                             ("f@fs/a.c:3", (3, 0, False, "fs/a.c"))):
            found = question.place(text)
            self.assertEqual((found.line, found.offset, found.returns, found.file), wanted, text)
        for text in ("", "4f", "f%back", "a.c:", "f (x"):
            with self.assertRaises(Problem):
                question.parse(text)

    def test_objects_are_pointers_and_casts_are_no_variables(self):
        self.assertEqual(question.expression("bio#62.bi_iter.bi_size + rq#3.tag"), "$bio(62)->bi_iter.bi_size + $rq(3)->tag")
        self.assertEqual(question.expression("*bio#62"), "*$bio(62)")
        self.assertEqual(question.expression("container_of(f->x, struct xfs_inode, i_vnode)->i_ino + this_cpu_ptr(&runqueues)->nr_running"),
                         '$container_of(f->x, "struct xfs_inode", "i_vnode")->i_ino + $this_cpu("runqueues")->nr_running')
        self.assertEqual(question.first_name(question.expression("container_of(file->f_inode, struct a, b)->c")), "file")
        for text, name in (("((struct a *)file->b)->c", "file"), ("$bio(3)->x", ""), ("-count", "count"), ("sizeof(x)", ""), ("&x[3]", "x")):
            self.assertEqual(question.first_name(text), name)

    def test_a_watch_lasts_as_long_as_its_object(self):
        self.assertEqual(trace().lifetime("bio#6.bi_status"), (250, 800 + questions.BEHIND))
        self.assertEqual(trace().lifetime("rq#3.state"), (200, 950 + questions.BEHIND))
        self.assertIsNone(trace().lifetime("jiffies"))


class Answers(unittest.TestCase):
    FOUND = [
        answers.Answer(10, "f", "dd", 7, {"size": "512"}, {"size": 512}, ["g a.c:1"], 3, "data", [5]),
        answers.Answer(20, "f", "dd", 7, {"size": "600"}, {"size": 600}),
        answers.Answer(30, "g", "sh", 8, {"x": "-5"}, {"x": -5}),
    ]

    def test_text_json_and_csv_have_the_same(self):
        self.assertEqual(answers.table(self.FOUND).splitlines(), [
            "clock  task  I/O  bio  place  fields",
            "   10  dd/7   #3  #5   f      size=512",
            "                         ← g a.c:1",
            "   20  dd/7    -  -    f      size=600",
            "   30  sh/8    -  -    g      x=-5"])
        rows = json.loads(answers.as_json(self.FOUND))["answers"]
        self.assertEqual((rows[0]["io"], rows[0]["bios"], rows[1]["io"], rows[2]["numbers"]), (3, [5], None, {"x": -5}))
        self.assertEqual(answers.as_csv(self.FOUND).splitlines()[:2],
                         ["clock,place,comm,pid,io,file,bios,size,x", "10,f,dd,7,3,data,5,512,"])

    def test_json_has_what_an_event_of_a_trace_has(self):
        seen = answers.State(0xffff_8880_0000_1000, 0x100, 0xffff_c900_0001_3ff8)
        rows = json.loads(answers.as_json([answers.Answer(10, "f", "dd", 7, state=seen), answers.Answer(20, "f", "dd", 7)]))["answers"]
        parts = [(row["task"]["address"], row["vcpu"], row["context"], row["stack_pointer"]) for row in rows]
        self.assertEqual(parts, [("0xffff888000001000", 0, 256, "0xffffc90000013ff8"), ("0x0", 0, None, "0x0")])
        schema = json.loads((Path(__file__).parents[3] / "schemas/ask.schema.json").read_text())["$defs"]
        self.assertEqual(set(rows[0]), set(schema["Answer"]["required"]))
        self.assertEqual(set(rows[0]["task"]), set(schema["Task"]["required"]))

    def test_counts_sums_and_histograms(self):
        self.assertEqual(answers.counted(self.FOUND, "task", ["size"]).split(), ["task", "count", "sum", "of", "size", "dd/7", "2", "1,112",
                                                                               "sh/8", "1", "0"])
        self.assertEqual(answers.histogram(self.FOUND, "size", "").splitlines()[0], "size: 2 values")
        self.assertIn("512..1023", answers.histogram(self.FOUND, "size", "task"))
        self.assertIn("-7..-4", answers.histogram(self.FOUND, "x", ""))


class Sources(unittest.TestCase):
    BANNER = ("Linux version 6.1.0-50-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14+deb12u1) 12.2.0, GNU ld (GNU "
              "Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian {} (2026-07-02)\n")

    def test_the_version_is_the_kernels_and_not_the_compilers(self):
        for text, series in (("6.1.176-1", "6.1"), ("7.3.2-1~bpo13+1", "7.3")):
            found = sources.VERSION.search(self.BANNER.format(text))
            self.assertEqual(found and found["series"], series)
        with self.assertRaisesRegex(Problem, "--sources"):
            sources.of_banner("Linux version 6.1.176 (me@here) #1 SMP")

    def test_another_version_is_refused(self):
        def other(_name, folder):
            folder.mkdir()
            (folder / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 175\nEXTRAVERSION =\n")

        with tempfile.TemporaryDirectory() as cache, mock.patch.dict(os.environ, IOTRACE_CACHE=cache), \
                mock.patch("iotrace_scripts.built.sources", other), self.assertRaisesRegex(Problem, "Linux 6.1.175, recorded was 6.1.176"):
            sources.of_banner(self.BANNER.format("6.1.176-1"))


class Sections(unittest.TestCase):
    def test_those_in_memory_are_named(self):
        named = elf.allocated(Path(os.path.realpath("/proc/self/exe")))
        self.assertIn(".text", named)
        self.assertNotIn(".shstrtab", named)


if __name__ == "__main__":
    unittest.main()
