"""festival's voices in a child process, and the HTS engine, for which festival writes labels."""
from __future__ import annotations

import atexit
import ctypes
import functools
import math
import re
import subprocess
import tempfile
import wave
from pathlib import Path

import numpy

from voice.synthesisers import C_LIBRARY, FOLDER, RATE, Voice, Words, library, resample


class Festival:
    """festival's voices, in one child process that is told to write each utterance to a file."""
    PRONUNCIATIONS = {'"wednesday"': "(((w eh n z) 1) ((d ey) 0))"}   # clearer than the lexicon's
    WORDS = '(mapcar (lambda (word) (format t "word %s %f\\n" (item.name word) (item.feat word "word_start"))) ' \
            "(utt.relation.items spoken 'Word))"

    def __init__(self) -> None:
        program = ["festival"]
        if FOLDER:
            folder = Path(FOLDER, "festival").resolve()     # with its own C library and loader
            program = [f"{folder}/lib/ld-linux-x86-64.so.2", "--library-path", f"{folder}/lib", f"{folder}/festival"]
        self.child = subprocess.Popen(program + ["--pipe"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, text=True)
        atexit.register(self.child.kill)
        self.current = ""

    def ask(self, commands: str) -> list[str]:
        """The lines that festival prints for the commands."""
        self.child.stdin.write(commands + '\n(format t "done\\n")\n(fflush nil)\n')
        self.child.stdin.flush()
        lines = []
        for line in self.child.stdout:
            if line.strip() == "done":
                return lines
            lines.append(line.strip())
        raise RuntimeError("festival ended")

    def synthesise(self, text: str, voice: str, then: str, before: str = "") -> list[str]:
        """Makes the utterance `spoken`, does `then` and gives what it prints."""
        if voice != self.current:
            entries = [f"(lex.add.entry '({word} n {sounds}))" for word, sounds in self.PRONUNCIATIONS.items()]
            self.ask(f"(voice_{voice})\n" + ("\n".join(entries) if voice == Hts.VOICE else ""))
            self.current = voice
        clean = re.sub(r'["\\]', "", text)
        return self.ask(f"{before}\n(set! spoken (utt.synth (eval (list 'Utterance 'Text \"{clean}\"))))\n{then}")

    def say(self, text: str, voice: Voice) -> tuple[numpy.ndarray, Words]:
        with tempfile.NamedTemporaryFile(suffix=".wav") as target:
            lines = self.synthesise(text, voice.name, f"(utt.save.wave spoken \"{target.name}\" 'riff)\n{self.WORDS}",
                                    f"(Parameter.set 'Duration_Stretch {1 / voice.speed:.3f})")
            with wave.open(target.name) as file:
                samples, rate = numpy.frombuffer(file.readframes(file.getnframes()), numpy.int16), file.getframerate()
        found = [re.fullmatch(r"word (\S+) ([\d.]+)", line) for line in lines]
        return resample(samples, RATE / rate), [(match[1], float(match[2])) for match in found if match]


@functools.cache
def festival() -> Festival:
    """The one child process."""
    return Festival()


class Hts:
    """The HTS voice cmu_us_slt_arctic_hts: labels by festival, sound by the HTS engine, which can change the pitch."""
    VOICE, HALF_TONES = "cmu_us_slt_arctic_hts", 12   # half tones of an octave
    LABELS = '(mapcar (lambda (part) (format t "label %s %s %s\\n" ' \
             '(item.feat part "R:SylStructure.parent.parent.id") ' \
             '(item.feat part "R:SylStructure.parent.parent.name") ' \
             "(hts_feats_output_string part))) (utt.relation.items spoken 'Segment))"

    def __init__(self) -> None:
        self.library = library("libHTSEngine.so.1")
        self.engine = ctypes.create_string_buffer(1 << 16)
        self.library.HTS_Engine_initialize(self.engine)
        path = "/usr/share/festival/voices/us/cmu_us_slt_arctic_hts/hts/cmu_us_slt_arctic_hts.htsvoice"
        files = (ctypes.c_char_p * 1)(path.encode())
        if not self.library.HTS_Engine_load(self.engine, files, ctypes.c_size_t(1)):
            raise RuntimeError("the HTS engine does not load its voice")
        for name in ("get_sampling_frequency", "get_fperiod", "get_nstate"):
            getattr(self.library, f"HTS_Engine_{name}").restype = ctypes.c_size_t
        self.library.HTS_Engine_get_state_duration.restype = ctypes.c_size_t
        self.rate = self.library.HTS_Engine_get_sampling_frequency(self.engine)
        self.states = self.library.HTS_Engine_get_nstate(self.engine)
        self.frame = self.library.HTS_Engine_get_fperiod(self.engine) / self.rate
        C_LIBRARY.open_memstream.restype = ctypes.c_void_p

    @functools.lru_cache(16)
    def labels(self, text: str) -> list[tuple[str, str, bytes]]:
        """The segments of a text: number and name of the word, and the label that the engine takes."""
        lines = festival().synthesise(text, self.VOICE, self.LABELS, "(Parameter.set 'Synth_Method 'None)")
        parts = [line.split() for line in lines if line.startswith("label ")]
        if not parts:
            raise ValueError(f"festival can not say {text!r}")
        return [(part[1], part[2], part[-1].encode()) for part in parts]

    def say(self, text: str, voice: Voice) -> tuple[numpy.ndarray, Words]:
        labels = self.labels(text)
        for name, value in (("add_half_tone", self.HALF_TONES * math.log2(voice.pitch)), ("set_speed", voice.speed)):
            getattr(self.library, f"HTS_Engine_{name}")(self.engine, ctypes.c_double(value))
        lines = (ctypes.c_char_p * len(labels))(*(label for _, _, label in labels))
        if not self.library.HTS_Engine_synthesize_from_strings(self.engine, lines, ctypes.c_size_t(len(labels))):
            raise RuntimeError(f"the HTS engine can not say {text!r}")
        words, frames, last = [], 0, "0"
        for i, (word, name, _) in enumerate(labels):
            if word not in (last, "0"):
                words.append((name, frames * self.frame))
            last = word
            for state in range(self.states):
                index = ctypes.c_size_t(i * self.states + state)
                frames += self.library.HTS_Engine_get_state_duration(self.engine, index)
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        stream = ctypes.c_void_p(C_LIBRARY.open_memstream(ctypes.byref(data), ctypes.byref(size)))
        self.library.HTS_Engine_save_generated_speech(self.engine, stream)
        C_LIBRARY.fclose(stream)
        samples = numpy.frombuffer(ctypes.string_at(data, size.value), numpy.int16)
        C_LIBRARY.free(data)
        self.library.HTS_Engine_refresh(self.engine)
        return resample(samples, RATE / self.rate), words
