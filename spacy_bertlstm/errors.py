"""Every error a user can meet: a stable code, the cause, the place and the next step.

Messages name files, lines, offsets and labels. They never quote the text of a note.
"""

MESSAGES = {
    # BL1xx: files and their formats
    "BL101": "{path}: no such {kind}. Check the path.",
    "BL102": "{path}: no {suffixes} file in it. Give a folder that holds records.",
    "BL103": "{path}, line {line}: not valid UTF-8 (byte {offset}). "
    "Re-encode the file, for example with 'iconv -t utf-8'.",
    "BL104": "{path}: no matching {expected} file. Complete the pair, or take {path} out.",
    "BL105": "{path}: record '{record}' already stands at {other}. Rename one of the two.",
    "BL106": "{lost} of {read} annotations would be lost, the first at {place}: {reason}. "
    "Mend the lines named in the report, or continue without them "
    "with --allow-loss.",
    "BL107": "{path}: it has no annotation files, but --require-annotations was given. "
    "Check that they stand in the same folder or in its sibling folders.",
    "BL108": "{path}: cannot be read ({reason}). Check the file and its permissions.",
    "BL109": "{path}: cannot be written ({reason}). Check the folder, its permissions and space.",
    "BL110": "{path}: exists and is not an empty folder. Choose another, or remove it.",
    "BL111": "record {record}: its name cannot be a file name. Rename the record.",
    "BL112": "record '{record}' comes twice. Rename one of the two, or export them apart.",
    "BL113": "{path}: OUT and --report stand in each other's way. Give the report another place.",
    "BL114": "schema '{name}': {reason}. Give one of: {known}.",
    "BL115": "{path}: no record in it could be read. Mend the files named above.",
    "BL116": "{path}: not TOML ({reason}). Mend the map.",
    "BL117": "{path}: {place}: {reason}. Write tables [concepts], [relations] and [assertions], "
    'each a list of "corpus label" = "schema label".',
    "BL118": "{path}: {place}: '{label}' is no {kind} of schema {schema}. Give one of: {known}.",
    "BL119": "--{option}: the format {format} has no use for it. Leave it out.",
    "BL120": "{place}: {reason}. Map it with --map, or leave --strict out.",
    "BL121": "{path}: this command reads it, and would overwrite it. Write to another place.",
    "BL140": "{path}: no {format} document in it. Check that it holds lines such as {form}.",
    "BL141": "record {record}: its name cannot be a PubTator id. Give it a name of 1 to 200 "
    "characters without '|', tabs, line breaks and byte order marks.",
    "BL142": "{path}: it has text but no annotations, and --require-annotations was given. "
    "Take the file out, or leave the option away.",
    "BL143": "{path}, line {line}: no column '{column}'. Name the table's own with --{option}.",
    "BL144": "{path}, line {line}: {reason}. Name each column once, and none 'format' or 'table'.",
    "BL145": "{path}, line {line}: not CSV ({reason}). Mend the row that begins there.",
    "BL146": "{path}: no row in it. Check that it is a table.",
    "BL147": "{path}, line {line}: it has no label, and --require-annotations was given. "
    "Take the row out, or leave the option away.",
    "BL148": "--label-separator: white space cannot part labels. Give another string.",
    # BL2xx: Docs and DocBins
    "BL201": "{path}: not a DocBin ({reason}). Make one with 'python -m spacy bertlstm convert'.",
    "BL202": "{path}: no Doc in it has entities or categories. Convert annotated records; "
    "--require-annotations makes the conversion insist on them.",
    "BL203": "record '{record}': the annotations on the Doc differ from those of its gold record. "
    "Say which counts: --source record, or --source doc.",
    "BL204": "{path}: Doc number {index} has no record and no id to name its file. "
    "Set doc.user_data['id'] or convert with this package.",
    "BL205": "{path}: {docs} Docs in {groups} groups cannot be split {ratio}: a part would get "
    "none. Give more Docs, fewer parts, or another ratio or seed.",
    "BL206": "split ratio {ratio}: three shares are needed, none negative, such as 70 15 15.",
    "BL207": "{path}: record '{record}' carries no gold record. Export it with --source doc.",
    "BL208": "the annotations that ride with a Doc are broken ({reason}). Convert the files anew.",
    "BL209": "{path}: stands in the way of the split, as its source or as a part of an older "
    "one. Choose another folder, or remove it.",
    "BL210": "{path}: no .spacy file in this folder. Make them with 'python -m spacy bertlstm "
    "convert'.",
    "BL211": "a worker process died ({reason}). It may have run out of memory: give fewer with "
    "--n-process.",
    "BL220": "record '{record}': its metadata has no '{key}' to group by (it has: {keys}). "
    "Give a key that every record has, or group by names with --group-regex.",
    "BL221": "--group-regex {pattern}: {reason}. Give a regular expression with a group in "
    "brackets, such as '^(.*)_'.",
    "BL222": "record '{record}': --group-regex {pattern} finds no group in its name. "
    "Give a pattern that fits every record.",
    "BL223": "{path}: Doc number {index} has no record and no id to exclude it or group it by. "
    "Set doc.user_data['id'] or convert with this package.",
    "BL224": "{path}: none of its {count} ids is a record of {source}. Give one id a line, "
    "as records are named in doc.user_data.",
    "BL225": "--group-by and --group-regex name groups each in its own way. Give one of them.",
    "BL226": "{path}: it changed while it was split. Run the split again.",
    "BL227": "{path}: its Docs came without their user data. What they had of assertions, "
    "relations and gold records is lost, and counts as if nobody had said it. Write them anew "
    "with DocBin(store_user_data=True).",
    # BL3xx: models and pipelines
    "BL301": "component '{name}' has no labels. Train on Docs with entities, "
    "or give labels in [initialize.components.{name}.labels].",
    "BL302": "component '{name}': {label} cannot be a label. Give a string that is not empty.",
    "BL303": "component '{name}': adding label '{label}' after initialization is not possible. "
    "Give all labels at initialization.",
    "BL304": "component '{name}': the scores hold values that are not finite, or beyond 1e8. "
    "Lower the learning rate or check the encoder's weights.",
    "BL305": "window of {window} tokens: it must be at least 1.",
    "BL306": "the encoder takes {limit} word pieces a window, too few for {special} special "
    "ones and text. Choose another encoder.",
    "BL307": "encoder {name}: cannot be loaded ({reason}). Run 'python -m spacy project run "
    "encoder', or give the path of a folder with config.json, tokenizer and weights.",
    "BL308": "component '{name}': nO = {nO}, but its labels make {tags} tags. Leave nO = null.",
    "BL310": "component '{name}': rehearsal would need a copy of the model, its encoder "
    "included. Train on a mix of old and new data instead, or leave it out: "
    "nlp.rehearse(..., exclude=['{name}']).",
    "BL311": "component '{name}': a temperature of {temperature} cannot divide scores. "
    "Give a number from 1e-6 to 1e6; 1.0 leaves confidences as they are.",
    "BL312": "component '{name}': score_loss = true, but a Doc does not carry the component's "
    "scores. Let the component read the Docs that are to be scored, or set score_loss = false.",
    "BL313": "{path}: component '{component}' is no bertlstm_ner. Give one of: {names}.",
    "BL314": "{path}: it has {count} components of the kind bertlstm_ner ({names}). "
    "Name one with --component, or give a pipeline that has one.",
    "BL315": "{path}: not a pipeline that can be loaded ({reason}). Give the folder of a trained "
    "pipeline, or the name of an installed one.",
    "BL316": "{path}: of {found} entities found there, {right} are right. To fit a temperature "
    "some must be right and some wrong; give more Docs with gold entities.",
    "BL317": "{path}: --json and OUT stand in each other's way. Give the file another place.",
    "BL321": "encoder {name}: its tokenizer gives no character offsets. Give an encoder with a "
    "tokenizer.json, and do not set use_fast = false.",
    "BL322": "component '{name}' listens to '{upstream}', which gave it no vectors. Put it "
    "before '{name}', enabled, or replace the listeners with nlp.replace_listeners.",
    "BL323": "component '{name}' was trained on vectors of width {expected}, but '{upstream}' "
    "gives {width}. Source the '{upstream}' that it was trained with, or replace its "
    "listeners with nlp.replace_listeners before sourcing it.",
    "BL324": "a BiLSTM of hidden_width = {hidden_width} and depth = {depth}: both must be at "
    "least 1. For the encoder alone, put its listener in the place of the BiLSTM.",
    "BL325": "precision = '{precision}': no such precision. Give one of: {known}.",
    "BL326": "mix_layers = {given}, but the transformer's weights are from mix_layers = {stored}. "
    "Give the pipeline the setting that it was trained with.",
    "BL327": "max_pieces = {max_pieces}: it must be at least 1.",
    "BL330": "{path}: not a trained pipeline ({reason}). Give a folder that training wrote, "
    "such as training/model-best.",
    "BL331": "{path}: the pruned pipeline predicts otherwise on {docs} of {total} Docs, the first "
    "being number {first}. Ship neither, and report which components it has.",
    "BL332": "{path}: {words} words that only the notes hold stand in {files} of its files. "
    "Prune the pipeline with 'python -m spacy bertlstm prune'; --show-text lists the words, and "
    "--public FILE names a public file that holds them.",
    "BL333": "{path}: it holds none but public words, so nothing could be found. "
    "Give the notes that the pipeline was trained on.",
    "BL334": "{path}: not a JSON object of scores ({reason}). "
    "Write it with 'python -m spacy bertlstm evaluate'.",
    "BL335": "{what} '{value}': no package can have it. Give a name of a-z, 0-9 and single "
    "underscores, without the language, and a version as PEP 440 writes it, such as 0.1.0.",
    "BL336": "language '{lang}': spaCy cannot load it ({reason}). Give a code such as en, and "
    "install what spaCy needs for that language.",
    "BL340": "{place} is another package's: what this package sets there may be lost. "
    "Load one of the two packages only, or rename the other's attribute.",
    "BL341": "attribute '{name}' cannot be one of spans. Give a name of letters, digits and "
    "underscores, such as 'assertion'; 'confidence' is taken.",
    "BL342": "component '{name}' has no labels: no span that it reads has span._.{attribute}. "
    "Train on Docs that have it; without such, leave '{name}' out of nlp.pipeline, or train a "
    "config that has no such component, such as configs/ner.cfg (--vars.config configs/ner.cfg "
    "of the project). Labels can also stand in [initialize.components.{name}.labels].",
    "BL343": "component '{name}': train_on = '{train_on}': no such spans. Give 'gold' or "
    "'predicted'.",
    "BL344": "component '{name}': balance = {balance}: it must be at least 0, which counts all "
    "labels alike; 1 makes up for how often each comes.",
    "BL345": "a span classifier of hidden_width = {hidden_width} and context = {context}: they "
    "must be at least 1 and at least 0.",
    "BL346": "component '{name}': nO = {nO}, but it has {labels} labels. Leave nO = null.",
    "BL355": "component '{name}' has no labels: no Doc that it learns from has relations. Train on "
    "Docs that have some; without such, leave '{name}' out of nlp.pipeline, or train a config that "
    "has no such component, such as configs/ner.cfg (--vars.config configs/ner.cfg of the "
    "project). Labels can also come from a schema, or stand as [label, head type, tail type] in "
    "[initialize.components.{name}.labels].",
    "BL356": "component '{name}': nO = {nO}, but it has {labels} labels. Leave nO = null.",
    "BL357": "component '{name}': {setting} = '{value}': no such choice. Give one of: {known}.",
    "BL358": "component '{name}': {setting} = {value}: it must be {range}.",
    "BL359": "a Doc has no sentence starts, in which entities could be paired. Put a sentence "
    "splitter before the relations, in training under training.annotating_components too; or "
    "give candidates = spacy-bertlstm.WindowPairs.v1.",
    "BL360": "component '{name}': a threshold for '{label}', which is no label. "
    "Give one of: {known}.",
    "BL361": "component '{name}': {label} cannot be a label of relations. "
    "Give [label, head type, tail type], three strings that are not empty.",
    "BL362": "{name}: {setting} = {value}: it must be at least {least}.",
    "BL363": "{path}: no relation in it was proposed by component '{component}', so that no "
    "threshold can be fitted. Give Docs with gold relations between entities that are found.",
    "BL364": "component '{name}': records without the relations of their concepts, which are of "
    "whole records. Set max_words = 0 in [corpora.train], or convert the records again.",
    # BL4xx: tags
    "BL376": "{path}: max_words = {max_words} would cut Docs that have categories, and these are "
    "of a whole text. Set max_words = 0 in [corpora].",
    "BL377": "{path}: nothing in it is what the pipeline {model} predicts. Give Docs with gold "
    "annotations of the kind that its components ({names}) set.",
    "BL390": "no component holds a transformer of spacy-transformers (architectures: {found}). "
    "Give a pipeline with TransformerModel or Tok2VecTransformer, v1 to v3.",
    "BL391": "component '{name}': its transformer has no weights yet. Give a trained pipeline.",
    "BL392": "component '{name}': mixed_precision = true is fp16 on a GPU and fp32 on a CPU. "
    "Say which with --precision.",
    "BL393": "component '{name}': {setter} reads the transformer's whole output, which is laid out "
    "otherwise after acceleration. Remove set_extra_annotations from the config, or keep the "
    "pipeline as it is.",
    "BL394": "component '{name}': its transformer is configured to give {output}, which would be "
    "lost. Remove it from transformer_config, or keep the pipeline as it is.",
    "BL395": "component '{name}': its tokenizer counts the blank before a word to the word, where "
    "spacy-transformers pools the word's first piece into the word before too, and this package "
    "does not. Give --windows sentences, which may change predictions, and --test to see how much.",
    "BL396": "{path}: no words in it to compare pipelines on. Give Docs with gold annotation.",
    "BL401": "tag '{tag}' is no BILUO tag. Give tags of the form O, B-X, I-X, L-X or U-X.",
    # BL5xx: training
    "BL501": "max_words = {max_words}: it must be 0 (whole records) or positive.",
    "BL502": "a corpus has no path. Give --paths.train and --paths.dev.",
    "BL503": "{path}: {count} relations go over a cut, since records are cut into runs of at most "
    "{max_words} words. Nothing learns from them or finds them. max_words = 0 keeps records whole; "
    "where only entities of one sentence are paired, they are out of reach all the same.",
    "BL510": "{path}: a training that has not ended left it. Go on with --resume, or remove it "
    "to start anew.",
    "BL511": "{path}: cannot be read as a checkpoint ({reason}). Remove it to start anew.",
    "BL512": "{path}: written under other settings: {key} was {then}, and now is {now}. "
    "Go on with the settings of then, or remove it to start anew.",
    "BL513": "{path}: what {name} reads is no longer what it was. Go on with the corpus of then, "
    "or remove the checkpoint to start anew.",
    "BL514": "{path}: the batches up to it cannot be drawn again, since the corpus or the batcher "
    "draws at random by itself. Remove it to start anew.",
    "BL515": "component '{name}': its weights are neither thinc's nor torch's. "
    "Train it with 'spacy train', which writes no checkpoints.",
    "BL516": "the optimizer keeps parameter '{name}', which no component's model has. "
    "Train with 'spacy train', which writes no checkpoints.",
    "BL517": "{path}: it does not fit the pipeline at {name}. Go on with the versions of then, "
    "or remove the checkpoint to start anew.",
    "BL518": "GPU {gpu_id} cannot be used ({reason}). Install cupy for its version of CUDA "
    "('pip install spacy[cuda12x]'), or give --gpu-id -1 for the CPU.",
    "BL519": "training.eval_frequency = {value}: it must be at least 1.",
    "BL520": "--{key}: the config has no such setting, and nothing in it refers to one. "
    "Check the name, or add it to the config.",
    # BL6xx: evaluation
    "BL601": "{reference} and {system}: no {suffix} file of the one has its name in the other. "
    "Files pair by name; rename those of the system.",
    "BL602": "task {task}: it has files of several types. Give --type, one of: {kinds}.",
    "BL603": "task {task}: it has files of one type only. Leave --type out.",
    "BL620": "{a} and {b}: no record stands annotated in both. Check that these are two "
    "annotations of the same notes, under the same names.",
    "BL621": "{path}: record '{record}' comes twice. Rename one of the two.",
    "BL622": "record '{record}': its texts differ, first at character {offset}. "
    "Compare annotations of one and the same text.",
    # BL64x: pages, tables and other packages
    "BL640": "{path}: a pipeline, which has no Docs to show. Give it notes to read with "
    "--text FILE.",
    "BL641": "{path}: the name does not say which kind of table it is. Give one that ends in "
    "one of: {suffixes}.",
    "BL642": "{path}: Parquet needs pyarrow, which cannot be imported ({reason}). Install it with "
    "the extra 'tables', as in \"pip install 'spacy-bertlstm[tables]'\", or write .csv or .jsonl.",
    "BL643": "span._.{name}: another package computes it, so that it cannot be set from the "
    "assertion. Leave one of the two out.",
    "BL644": "{path}: OUT and --relations are one file. Give the relations another one.",
    # BL65x: components that are trained together
    "BL650": "component '{name}': loss_weight = {value}: it must be positive. Leave the component "
    "out of nlp.pipeline, or name it in training.frozen_components, if it is not to learn.",
}


class BertLstmError(ValueError):
    """An error with a code from MESSAGES, filled with the place and the values.

    code (str): A key of MESSAGES.
    values: What the message's fields stand for.
    """

    def __init__(self, code: str, **values: object) -> None:
        self.code = code
        self.values = values
        super().__init__(f"[{code}] {MESSAGES[code].format(**values)}")

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (n_process); the default would call __init__ wrongly.
        return (_rebuild, (self.code, self.values))


def first_line(error: Exception) -> str:
    """What another package's error says, short enough for the reason in a message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _rebuild(code: str, values: dict[str, object]) -> BertLstmError:
    return BertLstmError(code, **values)
