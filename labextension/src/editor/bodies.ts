// The body of a cell magic: what language it is in, and its tokens.

import { tokens, words, type Magic, type Token, type Tree } from './words';

/** python: left to JupyterLab. payload: no colours, or those of JSON. script: a line of ours each. */
export type Language = 'python' | 'config' | 'conf' | 'payload' | 'script';

const NAMES: Record<string, string> = { str: 'stream', st: 'stream', con: 'consumer', obj: 'object', srv: 'server', publish: 'pub' };
const CONFIGURED = new Set(['stream', 'consumer', 'kv', 'object', 'counter']);

/** What follows a first line like this one; null where it is not ours. */
export function languageOf(line: string, { tree, cell, start }: Magic): Language | null {
  if (!cell) {
    return null;
  }
  const said = words(line, start).words.filter(({ text }) => !text.startsWith('-'));
  const [first = '', second = ''] = said.map(({ text }) => NAMES[text] ?? text);
  if (!first) {
    return null; // %%js alone is JavaScript
  }
  if (tree === 'natslab') {
    return first === 'reload' ? 'conf' : 'payload';
  }
  if (first === 'script') {
    return 'script';
  }
  if (first === 'reply' || (first === 'service' && second === 'serve')) {
    return 'python';
  }
  if (first === 'server' && second === 'config') {
    return 'conf';
  }
  if (CONFIGURED.has(first) && !['put', 'create', 'update'].includes(second)) {
    return 'config';
  }
  return 'payload';
}

const ATOM = /^(true|false|null|yes|no|on|off|~)$/;
const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?(ns|us|ms|s|m|h|d|[KMGT]i?B?)?$/;

/** JSON: also where it is not closed yet. */
export function json(line: string): Token[] {
  const found: Token[] = [];
  const pattern = /"(?:[^"\\]|\\.)*"?|'[^']*'|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b|[{}[\],:]/g;
  for (const { index: from, 0: text } of line.matchAll(pattern)) {
    const to = from + text.length;
    if (text[0] === '"' || text[0] === "'") {
      found.push({ from, to, kind: /^\s*:/.test(line.slice(to)) ? 'key' : 'string' });
    } else {
      found.push({ from, to, kind: /[\d-]/.test(text[0]) ? 'number' : /[a-z]/.test(text[0]) ? 'atom' : 'punctuation' });
    }
  }
  return found;
}

function scalar(line: string, from: number, end: number): Token[] {
  const text = line.slice(from, end).trimEnd();
  const to = from + text.length;
  if (!text) {
    return [];
  }
  if (/^["'].*["']$/.test(text)) {
    return [{ from, to, kind: 'string' }];
  }
  if (/^[[{]/.test(text)) {
    return json(line.slice(0, to)).filter(token => token.from >= from);
  }
  return ATOM.test(text) ? [{ from, to, kind: 'atom' }] : NUMBER.test(text) ? [{ from, to, kind: 'number' }] : [];
}

/** Where a comment begins, outside of quotes; -1 without one. */
function comment(line: string, sign: RegExp): number {
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quote) {
      quote = c === quote ? '' : quote;
    } else if (c === '"' || c === "'") {
      quote = c;
    } else if ((i === 0 || /\s/.test(line[i - 1])) && sign.test(line.slice(i))) {
      return i;
    }
  }
  return -1;
}

export function yaml(line: string): Token[] {
  const at = comment(line, /^#/);
  const end = at < 0 ? line.length : at;
  const found: Token[] = [];
  let from = 0;
  const dash = /^(\s*)((?:- +)+|-$)/.exec(line);
  if (dash) {
    from = dash[0].length;
    found.push({ from: dash[1].length, to: dash[1].length + 1, kind: 'punctuation' });
  }
  const key = /^(\s*)([\w$.-]+|"[^"]*"|'[^']*')(\s*)(:)(?=\s|$)/.exec(line.slice(from, end));
  if (key) {
    const begin = from + key[1].length;
    found.push({ from: begin, to: begin + key[2].length, kind: 'key' });
    const colon = begin + key[2].length + key[3].length;
    found.push({ from: colon, to: colon + 1, kind: 'punctuation' });
    from = colon + 1;
  }
  from += /^\s*/.exec(line.slice(from, end))?.[0].length ?? 0;
  found.push(...scalar(line, from, end));
  if (at >= 0) {
    found.push({ from: at, to: line.length, kind: 'comment' });
  }
  return found;
}

/** nats-server's own syntax: key value, key: value, key = value, blocks in braces. */
export function conf(line: string): Token[] {
  const at = comment(line, /^(#|\/\/)/);
  const end = at < 0 ? line.length : at;
  const found: Token[] = [];
  const pattern = /"[^"]*"?|'[^']*'?|[{}[\],]|[:=]|\$\w+|[^\s{}[\],:="']+(?::[^\s{}[\],:="']+)*/g;
  let fresh = true; // whether a key may stand here
  for (const { index: from, 0: text } of line.slice(0, end).matchAll(pattern)) {
    const to = from + text.length;
    if (/^[{}[\],:=]$/.test(text)) {
      found.push({ from, to, kind: 'punctuation' });
      fresh = text === '{' || text === ',' || text === '}';
    } else if (fresh && /^["']?[A-Za-z_$]/.test(text)) {
      found.push({ from, to, kind: text.startsWith('$') ? 'template' : 'key' });
      fresh = false;
    } else if (/^["']/.test(text)) {
      found.push({ from, to, kind: 'string' });
    } else if (ATOM.test(text)) {
      found.push({ from, to, kind: 'atom' });
    } else if (NUMBER.test(text)) {
      found.push({ from, to, kind: 'number' });
    } else if (text.startsWith('$')) {
      found.push({ from, to, kind: 'template' });
    }
  }
  if (at >= 0) {
    found.push({ from: at, to: line.length, kind: 'comment' });
  }
  return found;
}

function scripted(line: string): Token[] {
  const found = /^(\s*)(natslab|nats|js)(?=\s)/.exec(line);
  const tree = (found?.[2] ?? 'nats') as Tree;
  const start = found?.[0].length ?? 0;
  const sign: Token[] = found ? [{ from: found[1].length, to: start, kind: 'magic' }] : [];
  return [...sign, ...tokens(line, tree, start)];
}

/** How the lines of a body are read; `first` is its first line that is not empty. */
export function reader(language: Language, first: string): (line: string) => Token[] {
  const braced = /^\s*[[{]/.test(first);
  switch (language) {
    case 'script':
      return scripted;
    case 'conf':
      return conf;
    case 'config':
      return braced ? json : yaml;
    case 'payload':
      return braced ? json : () => [];
    default:
      return () => [];
  }
}
