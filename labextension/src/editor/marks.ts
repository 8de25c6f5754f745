// Colours for lines of ours and for the bodies of cell magics, over those of Python.

import { Prec, RangeSetBuilder, type Extension, type Text } from '@codemirror/state';
import { Decoration, ViewPlugin, type DecorationSet, type EditorView, type ViewUpdate } from '@codemirror/view';
import { languageOf, reader, type Language } from './bodies';
import { magicOf, tokens, type Kind, type Magic, type Token } from './words';

const KINDS: Kind[] = ['magic', 'verb', 'flag', 'subject', 'wildcard', 'dot', 'string', 'number', 'template', 'comment', 'key', 'atom', 'punctuation'];
const marks = Object.fromEntries(KINDS.map(kind => [kind, Decoration.mark({ class: `cm-nats-${kind}` })])) as Record<Kind, Decoration>;
/** What it covers has none of Python's colours. */
const plain = Decoration.mark({ class: 'cm-nats-plain' });

/** A cell magic: its line, and how its body is read. */
export interface CellMagic {
  line: number; // from 1
  magic: Magic;
  language: Language;
  read: (line: string) => Token[];
}

/** The cell magic that a document is, if it is one of ours. */
export function cellMagic(doc: Text): CellMagic | null {
  for (let n = 1; n <= doc.lines; n++) {
    const { text } = doc.line(n);
    if (!text.trim()) {
      continue;
    }
    const magic = magicOf(text);
    const language = magic && languageOf(text, magic);
    if (!magic || !language) {
      return null;
    }
    let first = '';
    for (let i = n + 1; i <= doc.lines && !first.trim(); i++) {
      first = doc.line(i).text;
    }
    return { line: n, magic, language, read: reader(language, first) };
  }
  return null;
}

/** Whether anything in a cell is ours: what costs something is done only there. */
export function concerns(doc: Text): boolean {
  if (cellMagic(doc)) {
    return true;
  }
  for (let n = 1; n <= doc.lines; n++) {
    if (magicOf(doc.line(n).text)) {
      return true;
    }
  }
  return false;
}

type Marked = [from: number, to: number, mark: Decoration];

function lineMarks(doc: Text, n: number, cell: CellMagic | null): Marked[] {
  const { text, from } = doc.line(n);
  if (cell && n > cell.line) {
    if (cell.language === 'python' || !text) {
      return [];
    }
    const inner = cell.read(text).map(({ from: a, to: b, kind }): Marked => [from + a, from + b, marks[kind]]);
    return [[from, from + text.length, plain], ...inner];
  }
  const magic = magicOf(text);
  if (!magic || (magic.cell && n !== cell?.line)) {
    return [];
  }
  const inner = tokens(text, magic.tree, magic.start).map(({ from: a, to: b, kind }): Marked => [from + a, from + b, marks[kind]]);
  return [[from + magic.from, from + text.length, plain], [from + magic.from, from + magic.start, marks.magic], ...inner];
}

function decorate(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  // Only code is ours: a line in prose is prose.
  if (!view.dom.closest('.jp-MarkdownCell, .jp-RawCell')) {
    const { doc } = view.state;
    const cell = cellMagic(doc);
    for (const { from, to } of view.visibleRanges) {
      for (let pos = from; pos <= to; ) {
        const { number, to: end } = doc.lineAt(pos);
        for (const [a, b, mark] of lineMarks(doc, number, cell)) {
          if (b > a) {
            builder.add(a, b, mark);
          }
        }
        pos = end + 1;
      }
    }
  }
  return builder.finish();
}

export const colours: Extension = Prec.highest(
  ViewPlugin.fromClass(
    class {
      decorations: DecorationSet;
      constructor(view: EditorView) {
        this.decorations = decorate(view);
      }
      update(update: ViewUpdate): void {
        if (update.docChanged || update.viewportChanged || update.geometryChanged) {
          this.decorations = decorate(update.view);
        }
      }
    },
    { decorations: plugin => plugin.decorations }
  )
);
