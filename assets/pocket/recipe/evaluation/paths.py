"""Two ways to ask a checkpoint: Hugging Face transformers, and the program. Both give an `Answer` for a `Question`."""

import json
import multiprocessing
import os
import subprocess
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import wavfile
from tokenizers import Tokenizer

from model.examples import audio_tokens

MOST_TEXT_TOKENS = 96


@dataclass
class Question:
    """What is asked. Messages are those of `colloquy talk --messages`: parts are texts, sounds and pictures."""

    messages: list[dict]
    tools: list[dict] = field(default_factory=list)
    voice: str | None = None  # speech in this voice, or none
    greedy: bool = True
    seed: int = 0
    out: str | None = None  # where speech is written, a WAV file


@dataclass
class Answer:
    """What came back; `text` is decoded from the tokens, with function calls as they were written."""

    text: str
    tokens: list[int]
    codes: list[list[int]] = field(default_factory=list)  # of speech, [frames][groups]
    first_sound_ms: float | None = None
    shown: str = ""  # the text that the program shows
    fault: str | None = None


def read_sound(path: str) -> NDArray[np.float32]:
    """A WAV file of 16 bits."""
    return wavfile.read(path)[1].astype(np.float32) / 32768


def write_sound(path: str | Path, sound: NDArray, rate_hz: int) -> None:
    """Writes a WAV file of 16 bits."""
    samples = np.clip(np.round(np.asarray(sound, np.float64) * 32768), -32768, 32767)
    wavfile.write(path, rate_hz, samples.astype(np.int16))


class Transformers:
    """The model in f32 on the processor, in one process."""

    def __init__(self, checkpoint: str):
        import torch
        import transformers
        from transformers.models.qwen2_vl import image_processing_pil_qwen2_vl as pictures

        warnings.filterwarnings("ignore", "Passing `repetition_penalty`")
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        torch.set_num_threads(1)
        self.torch = torch
        self.model, loaded = transformers.Qwen3OmniMoeForConditionalGeneration.from_pretrained(
            checkpoint, dtype=torch.float32, attn_implementation="sdpa", output_loading_info=True
        )
        if loaded["missing_keys"] or loaded["unexpected_keys"]:
            raise ValueError(f"the checkpoint does not fit the model: {loaded}")
        self.model.eval()
        # Speech about a picture and a sound in one turn looks for the sound's config in the talker's.
        if not hasattr(self.model.config.talker_config, "audio_config"):
            self.model.config.talker_config.audio_config = self.model.config.thinker_config.audio_config
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
        self.template = json.loads(Path(checkpoint, "chat_template.json").read_text())["chat_template"]
        self.features = transformers.WhisperFeatureExtractor.from_pretrained(checkpoint)
        self.pictures = pictures.Qwen2VLImageProcessorPil.from_pretrained(checkpoint)
        self.sampling = json.loads(Path(checkpoint, "generation_config.json").read_text())
        self.end = self.tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.codes: list[list[int]] = []
        decode = self.model.code2wav.chunked_decode

        def decode_and_keep(codes, **options):
            self.codes = codes[0].T.tolist()
            return decode(codes, **options)

        self.model.code2wav.chunked_decode = decode_and_keep

    def inputs(self, question: Question) -> dict:
        """Token ids, features and patches. Each clip is analysed alone, so that another's length leaves it as it is."""
        text = self.tokenizer.apply_chat_template(
            question.messages,
            tools=question.tools or None,
            chat_template=self.template,
            tokenize=False,
            add_generation_prompt=True,
        )
        parts = [part for m in question.messages if isinstance(m["content"], list) for part in m["content"]]
        sounds = [read_sound(part["path"]) for part in parts if part["type"] == "audio"]
        images = [Image.open(part["path"]).convert("RGB") for part in parts if part["type"] == "image"]
        inputs, counts = {}, {"<|audio_pad|>": [], "<|image_pad|>": []}
        if sounds:
            clips = [
                self.features(sound, sampling_rate=16_000, padding=False, truncation=False, return_tensors="np")
                for sound in sounds
            ]
            frames = [clip["input_features"].shape[-1] for clip in clips]
            features = np.zeros((len(clips), clips[0]["input_features"].shape[1], max(frames)), np.float32)
            for row, clip, length in zip(features, clips, frames, strict=True):
                row[:, :length] = clip["input_features"][0]
            mask = np.arange(max(frames))[None] < np.array(frames)[:, None]
            inputs["input_features"] = self.torch.from_numpy(features)
            inputs["feature_attention_mask"] = self.torch.from_numpy(mask.astype(np.int64))
            counts["<|audio_pad|>"] = [audio_tokens(length) for length in frames]
        if images:
            inputs.update(self.pictures(images, return_tensors="pt"))
            counts["<|image_pad|>"] = [int(grid.prod()) // 4 for grid in inputs["image_grid_thw"]]
        for pad, lengths in counts.items():
            pieces = text.split(pad)
            if len(pieces) != len(lengths) + 1:
                raise ValueError(f"{len(lengths)} clips or pictures for {len(pieces) - 1} places")
            text = pieces[0] + "".join(pad * n + piece for n, piece in zip(lengths, pieces[1:], strict=True))
        inputs.update(self.tokenizer(text, return_tensors="pt"))
        return inputs

    def answer(self, question: Question) -> Answer:
        """Asks; text is greedy."""
        inputs = self.inputs(question)
        options = {"return_audio": False}
        if question.voice:
            options = {"return_audio": True, "speaker": question.voice, "talker_max_new_tokens": 256}
            options |= {name: value for name, value in self.sampling.items() if name.startswith("talker_")}
            if question.greedy:
                options |= {"talker_do_sample": False}
        self.codes = []
        self.model.thinker.rope_deltas = None
        self.torch.manual_seed(question.seed)
        with self.torch.no_grad():
            result = self.model.generate(
                **inputs,
                thinker_eos_token_id=self.end,
                thinker_pad_token_id=self.end,
                thinker_max_new_tokens=MOST_TEXT_TOKENS,
                thinker_do_sample=False,
                **options,
            )
        sequence = result[0] if isinstance(result, tuple) else getattr(result, "sequences", result)
        tokens = sequence[0, inputs["input_ids"].shape[1] :].tolist()
        if tokens and tokens[-1] == self.end:
            tokens.pop()
        if question.voice and question.out:
            write_sound(question.out, result[1].reshape(-1).numpy(), 24_000)
        text = self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Answer(text, tokens, self.codes, shown=text)


_loaded: Transformers | None = None


def _load(checkpoint: str) -> None:
    global _loaded
    _loaded = Transformers(checkpoint)


def _ask(question: Question) -> Answer:
    try:
        return _loaded.answer(question)
    except Exception as error:  # one answer that fails is counted as wrong
        return Answer("", [], fault=f"{type(error).__name__}: {error}")


def ask_transformers(checkpoint: str, questions: list[Question], jobs: int) -> list[Answer]:
    """All answers of transformers, in order."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_load, initargs=(checkpoint,)) as pool:
        return list(pool.map(_ask, questions, chunksize=8))


def ask_colloquy(
    program: str, checkpoint: str, questions: list[Question], jobs: int, folder: Path, threads: int = 1
) -> list[Answer]:
    """All answers of the program, in order: one process for each question."""
    tokenizer = Tokenizer.from_file(os.path.join(checkpoint, "tokenizer.json"))
    folder.mkdir(parents=True, exist_ok=True)

    def ask(numbered: tuple[int, Question]) -> Answer:
        number, question = numbered
        file = folder / f"{number:05d}.json"
        file.write_text(json.dumps(question.messages))
        command = [program, "talk", "--model", checkpoint, "--device", "cpu", "--threads", str(threads), "--json"]
        command += ["--messages", str(file), "--seed", str(question.seed)]
        command += ["--max-text-tokens", str(MOST_TEXT_TOKENS)]
        # Text is greedy in any case, as with transformers.
        command += ["--greedy"] if question.greedy else ["--temperature", "0"]
        command += ["--voice", question.voice] if question.voice else ["--no-speech"]
        command += ["--out", question.out] if question.voice and question.out else []
        if question.tools:
            tools = file.with_suffix(".tools.json")
            tools.write_text(json.dumps(question.tools))
            command += ["--tools", str(tools)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        except (subprocess.SubprocessError, OSError) as error:  # one answer that fails is counted as wrong
            return Answer("", [], fault=(getattr(error, "stderr", "") or str(error)).strip()[-300:])
        report = json.loads(done.stdout)
        text = tokenizer.decode(report["text_tokens"], skip_special_tokens=True)
        return Answer(
            text, report["text_tokens"], report["codes"], report["timing"]["first_audio"], shown=report["text"]
        )

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(ask, enumerate(questions)))
