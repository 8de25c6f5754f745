// A line of ours as its words: what is a verb, a flag, a subject, a quoted text. No kernel is asked: colours must not wait.

export type Kind =
  | 'magic'
  | 'verb'
  | 'flag'
  | 'subject' // a token of a subject
  | 'wildcard'
  | 'dot' // between the tokens of a subject
  | 'string'
  | 'number'
  | 'template'
  | 'comment'
  | 'key'
  | 'atom'
  | 'punctuation';

export interface Token {
  from: number;
  to: number;
  kind: Kind;
}

export type Tree = 'nats' | 'js' | 'natslab';

/** The beginning of a line of ours: what stands before it, the signs, whose line it is. */
export const MAGIC = /^(\s*(?:[\w.,\s()[\]]+=\s*)?)(%{1,2})(natslab|nats|js)(?=\s|$)/;

// Groups of verbs, after which a verb follows; by their names and aliases.
const GROUPS = new Set(
  (
    'stream str st ms s consumer con obs c kv object obj counter ctr server srv sys system account a ' +
    'auth context ctx errors err error schema service micro bench audit'
  ).split(' ')
);
// Groups inside groups.
const INNER = new Set('cluster raft r report rep request req check config watch operator user nkey keys js'.split(' '));

const NUMBER = /^[+-]?\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w|y|B|[KMGT]i?B?|k)?$/;
const TEMPLATE = /\{=[^}]*\}|\{\{[^}]*\}\}/g;
const SUBJECT = /^[^\s.]+(\.[^\s.]+)*$/;
const NAMED = /^[\w$*>-]+$/; // a token that a subject may well have

/** The words of a line with their places: quotes as a POSIX shell has them. `text` is what stands in them. */
export interface Word {
  from: number;
  to: number;
  text: string;
  quoted: boolean;
}

export function words(line: string, start = 0): { words: Word[]; comment: number } {
  const found: Word[] = [];
  let i = start;
  while (i < line.length) {
    if (/\s/.test(line[i])) {
      i++;
      continue;
    }
    if (line[i] === '#') {
      return { words: found, comment: i };
    }
    const from = i;
    let text = '';
    let quoted = false;
    let quote = '';
    for (; i < line.length; i++) {
      const c = line[i];
      if (quote) {
        if (c === quote) {
          quote = '';
        } else if (c === '\\' && quote === '"' && i + 1 < line.length && '$`"\\'.includes(line[i + 1])) {
          text += line[++i];
        } else {
          text += c;
        }
      } else if (c === "'" || c === '"') {
        quote = c;
        quoted = true;
      } else if (c === '\\' && i + 1 < line.length) {
        text += line[++i];
      } else if (/\s/.test(c)) {
        break;
      } else {
        text += c;
      }
    }
    found.push({ from, to: i, text, quoted });
  }
  return { words: found, comment: -1 };
}

/** Whether a word is a subject by its looks: several tokens, or a wildcard. */
export function isSubject(text: string): boolean {
  if (!SUBJECT.test(text) || NUMBER.test(text) || text.length > 300 || !/[.*>]/.test(text)) {
    return false;
  }
  const tokens = text.split('.');
  const last = tokens.length - 1;
  return tokens.every((token, i) => NAMED.test(token) && (token.length === 1 || !/[*>]/.test(token)) && (token !== '>' || i === last));
}

function subject(line: string, from: number, to: number): Token[] {
  const found: Token[] = [];
  let at = from;
  for (const token of line.slice(from, to).split('.')) {
    found.push({ from: at, to: at + token.length, kind: token === '*' || token === '>' ? 'wildcard' : 'subject' });
    at += token.length;
    if (at < to) {
      found.push({ from: at, to: at + 1, kind: 'dot' });
      at++;
    }
  }
  return found;
}

function value(line: string, from: number, to: number): Token[] {
  const raw = line.slice(from, to);
  const templates = [...raw.matchAll(TEMPLATE)].map(({ index, 0: text }) => ({
    from: from + index,
    to: from + index + text.length,
    kind: 'template' as const
  }));
  const quote = raw.length > 1 && (raw[0] === "'" || raw[0] === '"') && raw[raw.length - 1] === raw[0] ? 1 : 0;
  const inner = raw.slice(quote, raw.length - quote);
  if (!templates.length && isSubject(inner)) {
    const marks = subject(line, from + quote, to - quote);
    return quote ? [{ from, to: from + 1, kind: 'string' }, ...marks, { from: to - 1, to, kind: 'string' }] : marks;
  }
  if (templates.length) {
    const found: Token[] = [];
    let at = from;
    for (const template of templates) {
      if (quote && template.from > at) {
        found.push({ from: at, to: template.from, kind: 'string' });
      }
      found.push(template);
      at = template.to;
    }
    return quote && at < to ? [...found, { from: at, to, kind: 'string' }] : found;
  }
  if (/['"]/.test(raw)) {
    return [{ from, to, kind: 'string' }];
  }
  return NUMBER.test(raw) ? [{ from, to, kind: 'number' }] : [];
}

/** The tokens of the words of a line, from `start` on. */
export function tokens(line: string, tree: Tree, start = 0): Token[] {
  const read = words(line, start);
  const found: Token[] = [];
  let verbs = 0; // words of the verb so far
  let more = true; // whether another one may follow
  let waiting = false; // for the value of a flag before the verb
  for (const { from, to, text, quoted } of read.words) {
    if (!quoted && /^--?[A-Za-z]/.test(text)) {
      const equals = line.slice(from, to).indexOf('=');
      const end = equals < 0 ? to : from + equals;
      found.push({ from, to: end, kind: 'flag' });
      if (equals >= 0) {
        found.push({ from: end, to: end + 1, kind: 'punctuation' }, ...value(line, end + 1, to));
      }
      waiting = more && verbs === 0 && equals < 0;
    } else if (more && !quoted && !waiting && /^[a-z][\w-]*$/.test(text)) {
      found.push({ from, to, kind: 'verb' });
      more = tree !== 'natslab' && (verbs === 0 ? GROUPS.has(text) : verbs === 1 && INNER.has(text));
      verbs++;
    } else {
      more &&= waiting;
      waiting = false;
      found.push(...value(line, from, to));
    }
  }
  if (read.comment >= 0) {
    found.push({ from: read.comment, to: line.length, kind: 'comment' });
  }
  return found;
}

export interface Magic {
  tree: Tree;
  cell: boolean; // %%
  from: number; // of the signs
  start: number; // of the words
}

export function magicOf(line: string): Magic | null {
  const found = MAGIC.exec(line);
  if (!found) {
    return null;
  }
  const from = found[1].length;
  return { tree: found[3] as Tree, cell: found[2].length === 2, from, start: found[0].length };
}
