// The line behind each button: what a learner would type in a cell.

const PLAIN = /^[\w@%+=:,./*>$-]+$/;

/** A word as it stands in a line: quoted where the shell's rules would split or change it. */
export function word(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

/** A magic's line of words; a word that begins with a dash and is no flag of ours is guarded by the caller. */
export function line(...words: (string | number)[]): string {
  return words.map(each => word(String(each))).join(' ');
}

/** As it stands in a cell. */
export function magic(text: string): string {
  return `%${text}`;
}

export const LOAD = '%load_ext natslab';
export const UP = 'natslab up';
export const DOWN = 'natslab down';

export const server = {
  start: (name: string) => line('natslab', 'restart', name),
  restart: (name: string) => line('natslab', 'restart', name),
  freeze: (name: string) => line('natslab', 'freeze', name),
  thaw: (name: string) => line('natslab', 'thaw', name),
  kill: (name: string) => line('natslab', 'kill', name),
  log: (name: string) => line('natslab', 'log', name, '--tail', 20)
};

export const wire = {
  cut: (a: string, b: string) => line('natslab', 'cut', a, b),
  hold: (a: string, b: string) => line('natslab', 'hold', a, b),
  heal: (a: string, b: string) => line('natslab', 'heal', a, b)
};

/** A stream or bucket by the name it has in its JetStream domain; "" where there is one domain only. */
export interface Kept {
  plain: string;
  domain: string;
}

function inDomain({ domain }: Kept): string[] {
  return domain ? ['--js-domain', domain] : [];
}

export const stream = {
  info: (of: Kept) => line('js', 'stream', 'info', of.plain, ...inDomain(of))
};

export const consumer = {
  info: (of: Kept, name: string) => line('js', 'consumer', 'info', of.plain, name, ...inDomain(of)),
  next: (of: Kept, name: string) => line('js', 'consumer', 'next', of.plain, name, '--hold', ...inDomain(of))
};

export const bucket = {
  list: (kind: string, of: Kept) => line('js', kind, 'ls', of.plain, ...inDomain(of))
};

export function kill(client: string): string {
  return line('natslab', 'kill', client);
}

export function stop(job: number): string {
  return line('natslab', 'stop', job);
}

/** `side` "" shows it in the notebook. */
export function view(name: string, of: string[] = [], side = ''): string {
  return line('natslab', 'view', name, ...of, ...(side ? ['--dock', side] : []));
}
