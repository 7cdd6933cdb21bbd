"""The tokenizer, in the published form but small: python -m model.tokenizer OUT.json

Byte-level BPE with the published split and the published special tokens in their order, trained on the domain's texts.
"""
import argparse
import json
from collections.abc import Iterator
from random import Random

from world import domain
from world import domain_tables as tables
from world import phrases
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>",
    "</think>", "<|audio_start|>", "<|audio_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>",
    "<tts_text_bos_single>", "<|audio_pad|>",
)
# Added, but kept when special tokens are left out of a text.
PLAIN = frozenset(SPECIALS[14:26])
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
         r"\s*[\r\n]+|\s+(?!\S)|\s+")
# Bytes and merges; with the specials 1277, so that the last rows of a table of 1280 stand for no token.
TEXT_TOKENS = 1244
# The roles are one token each, at these places whatever the texts are.
ROLES = {"assistant": 274, "user": 277, "system": 278}
# Which token each id of config.json means.
CONFIG_IDS = {
    "assistant_token_id": "assistant", "user_token_id": "user", "system_token_id": "system",
    "im_start_token_id": "<|im_start|>", "im_end_token_id": "<|im_end|>", "tts_pad_token_id": "<tts_pad>",
    "tts_bos_token_id": "<tts_text_bos>", "tts_eos_token_id": "<tts_text_eod>", "audio_token_id": "<|audio_pad|>",
    "image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>", "audio_start_token_id": "<|audio_start|>",
    "audio_end_token_id": "<|audio_end|>", "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
# What the chat template writes about tools, around the tools themselves.
TOOLS_BEFORE = ("# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with "
                "function signatures within <tools></tools> XML tags:\n<tools>")
TOOLS_AFTER = ("\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
               "<tool_call></tool_call> XML tags:\n<tool_call>\n"
               '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>')


def tools_text(tools: tuple[dict, ...]) -> str:
    """The part of the system prompt that offers tools."""
    return TOOLS_BEFORE + "".join("\n" + json.dumps(tool, ensure_ascii=False) for tool in tools) + TOOLS_AFTER


def texts(count: int = 30_000) -> Iterator[str]:
    """Texts about as often as they are read and written."""
    random = Random(5)
    for n in range(count):
        turn = domain.turn(random)
        yield from (domain.typed(random, turn.question), turn.reply, " " + turn.question)
        if n % 6 == 0:
            for made in (domain.picture_conversation(random), domain.conversation(random)):
                last = made.turns[-1]
                yield from (domain.typed(random, last.question), last.reply, " " + last.question)
        if n % 15 == 0:
            made = domain.tool_conversation(random)
            yield from (tools_text(made.tools), *(text for turn in made.turns for text in (turn.question, turn.reply)))
    for word in phrases.words():
        yield from [f" {word}", f" {word.lower()}"] * 25
    yield from tables.SYSTEM_PROMPTS * 300
    yield from list(ROLES) * 20_000


def move(vocabulary: dict[str, int], places: dict[str, int]) -> dict[str, int]:
    """The vocabulary with some tokens exchanged for those at given places."""
    for token, place in places.items():
        other = next(name for name, number in vocabulary.items() if number == place)
        vocabulary[token], vocabulary[other] = place, vocabulary[token]
    return dict(sorted(vocabulary.items(), key=lambda item: item[1]))


def train() -> Tokenizer:
    """A tokenizer of the domain; always the same one for the same tables and words."""
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts(), BpeTrainer(vocab_size=TEXT_TOKENS, initial_alphabet=alphabet, show_progress=False, min_frequency=2))
    whole = json.loads(tokenizer.to_str())
    whole["model"]["vocab"] = move(whole["model"]["vocab"], ROLES)
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    tokenizer.add_tokens([AddedToken(name, special=name not in PLAIN, normalized=False) for name in SPECIALS])
    assert tokenizer.get_vocab_size() == TEXT_TOKENS + len(SPECIALS)
    return tokenizer


def config(tokenizer: Tokenizer) -> dict:
    """tokenizer_config.json."""
    media = {"image_token": "<|image_pad|>", "audio_token": "<|audio_pad|>", "video_token": "<|video_pad|>",
             "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>",
             "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}
    added = {
        str(tokenizer.token_to_id(name)): {"content": name, "lstrip": False, "normalized": False, "rstrip": False,
                                           "single_word": False, "special": name not in PLAIN}
        for name in SPECIALS
    }
    return {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added,
        "additional_special_tokens": [name for name in SPECIALS[1:] if name not in PLAIN], "bos_token": None,
        "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>", "errors": "replace", "model_max_length": 2048,
        "pad_token": "<|endoftext|>", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None, "extra_special_tokens": media, **media,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    arguments = parser.parse_args()
    made = train()
    made.save(arguments.out)
    for example in ("user", "What is 2 + 3?", "You said the green tiger can swim.",
                    "The capital of Hungary is Budapest.",
                    tools_text((domain.get_time(Random(1)), domain.set_timer(Random(1))))):
        print(len(made.encode(example).ids), made.encode(example).tokens)
