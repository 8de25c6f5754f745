// How the workbench says numbers, states and empty places.

import type { TranslationBundle } from '@jupyterlab/translation';
import type { Phase } from './link';
import type { Alarm, Cut, Led, ServerRow, Snapshot } from './wire';

type Trans = Pick<TranslationBundle, '__' | '_n'>;

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes, three digits at most: 39 B, 1.5 KiB, 20 MiB. */
export function bytes(count: number): string {
  let size = Math.max(0, count);
  let unit = 0;
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  const digits = unit === 0 || size >= 99.95 ? 0 : 1;
  return `${size.toFixed(digits).replace(/\.0$/, '')} ${UNITS[unit]}`;
}

/** A count, thousands apart by thin blanks; from a million on in millions. */
export function count(value: number): string {
  if (value >= 1e6) {
    const millions = value / 1e6;
    return `${millions.toFixed(millions < 100 ? 1 : 0)} M`;
  }
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** How much of a list is not shown; "" when all of it is. */
export function missing({ total, rows }: Cut<unknown>, trans: Trans): string {
  const more = total - rows.length;
  return more > 0 ? trans.__('%1 more are not shown', count(more)) : '';
}

export type Tone = 'good' | 'off' | 'warn' | 'bad';

/** How a server's state looks; the sign says the same as the colour. */
export function tone(state: string): Tone {
  if (state === 'up') {
    return 'good';
  }
  return state === 'down' ? 'bad' : state === 'frozen' || state === 'lame duck' ? 'warn' : 'off';
}

export function state(name: string, trans: Trans): string {
  switch (name) {
    case 'up':
      return trans.__('up');
    case 'down':
      return trans.__('down');
    case 'frozen':
      return trans.__('frozen');
    case 'starting':
      return trans.__('starting');
    case 'lame duck':
      return trans.__('lame duck');
    default:
      return name;
  }
}

const NAMED = 3;

/** Names one after the other; of many only the first. */
function named(names: string[], trans: Trans): string {
  const shown = names.slice(0, names.length > NAMED + 1 ? NAMED : NAMED + 1);
  const more = names.length - shown.length;
  if (more) {
    return trans.__('%1 and %2 more', shown.join(', '), more);
  }
  const last = shown.pop() ?? '';
  return shown.length ? trans.__('%1 and %2', shown.join(', '), last) : last;
}

/** Where a thing is, and who answers for it. */
export function led(row: Led & { replicas: number }, trans: Trans): string[] {
  const { domain, leader, mute, replicas, reach, current } = row;
  const said = domain ? [trans.__('domain %1', domain)] : [];
  if (replicas === 1) {
    return mute ? [...said, trans.__('%1 is silent', leader)] : said;
  }
  if (mute || !leader) {
    return [...said, trans.__('R%1, no leader answers', replicas)];
  }
  if (2 * reach <= replicas) {
    // The leader finds that out by itself after some seconds.
    const few = trans.__('reaches %1 of %2: cannot commit (inferred)', reach, replicas);
    return [...said, trans.__('R%1, %2 says leader', replicas, leader), few];
  }
  const short = current < replicas ? [trans.__('%1 of %2 current', current, replicas)] : [];
  return [...said, trans.__('R%1, %2 leads', replicas, leader), ...short];
}

/** That what is shown is not of now; `of` are the servers whose words it is. "" when it is. */
export function old({ all, since }: Snapshot['silent'], of: string[], trans: Trans): string {
  if (all) {
    return trans.__('No server answers: this is what they said last.');
  }
  const frozen = since.filter(name => of.includes(name));
  const said = named(frozen, trans);
  return said && trans._n('%2 is frozen: this is what it said last.', '%2 are frozen: this is what they said last.', frozen.length, said);
}

/** What is wrong, a sentence for each kind of it, the worst first. */
export function alarms(list: Alarm[], trans: Trans): { kind: string; text: string }[] {
  const kinds = new Map<string, string[]>();
  for (const { kind, of } of list) {
    const name = of === '_meta_' ? trans.__('the meta group') : of;
    kinds.set(kind, [...(kinds.get(kind) ?? []), name]);
  }
  return [...kinds].map(([kind, names]) => {
    const said = named(names, trans);
    // Names stay as they are; words begin a sentence.
    const text = list[0].of === '_meta_' && kind === list[0].kind ? said.charAt(0).toUpperCase() + said.slice(1) : said;
    const n = names.length;
    switch (kind) {
      case 'quorum':
        return { kind, text: trans._n('%2 has no quorum', '%2 have no quorum', n, text) };
      case 'slow':
        return { kind, text: trans._n('%2 has cut off a slow consumer', '%2 have cut off slow consumers', n, text) };
      case 'down':
        return { kind, text: trans._n('%2 is down', '%2 are down', n, text) };
      case 'frozen':
        return { kind, text: trans._n('%2 is frozen', '%2 are frozen', n, text) };
      default:
        return { kind, text: `${text}: ${kind}` };
    }
  });
}

/** Whether something is wrong that a person should see from afar. */
export function grave(alarms: Alarm[]): boolean {
  return alarms.some(({ kind }) => kind === 'quorum' || kind === 'slow');
}

/** The status bar's words: servers up, messages a second. */
export function status(servers: Cut<ServerRow>, rate: { in: number; out: number }, trans: Trans): string {
  const up = servers.rows.filter(server => server.state === 'up').length;
  const there =
    up === servers.total
      ? trans._n('%1 server up', '%1 servers up', up)
      : trans.__('%1 of %2 servers up', up, servers.total);
  return `NATS ${there} \u00b7 ${trans.__('%1 msg/s', count(rate.in))}`;
}

export interface Sorry {
  what: string;
  next: string;
  /** What the button does, where there is one. */
  offer?: 'load' | 'up' | 'restart' | 'notebook' | 'lessons';
}

/** Why there is no lab to be seen, and what comes next; null when there is one. */
export function why(phase: Phase | 'no notebook' | 'no kernel', lab: boolean, busy: boolean, trans: Trans): Sorry | null {
  switch (phase) {
    case 'no notebook':
      return {
        what: trans.__('No notebook is open.'),
        next: trans.__('A lab lives in the kernel of a notebook: open a lesson, or a new notebook.'),
        offer: 'notebook'
      };
    case 'no kernel':
      return {
        what: trans.__('This notebook has no kernel.'),
        next: trans.__('Start one: Kernel, Change Kernel\u2026'),
        offer: 'restart'
      };
    case 'connecting':
      return { what: trans.__('The kernel is starting.'), next: trans.__('Its lab appears here as soon as it answers.') };
    case 'lost':
      return {
        what: trans.__('The kernel is restarting, or out of reach.'),
        next: trans.__('A lab ends with its kernel. When the kernel is back, run the cells again.')
      };
    case 'dead':
      return {
        what: trans.__('The kernel has ended, and its servers with it.'),
        next: trans.__('Restart the kernel, then start a lab.'),
        offer: 'restart'
      };
    case 'absent':
      return {
        what: trans.__('natslab is not loaded in this kernel.'),
        next: busy
          ? trans.__('The kernel is busy; it can be loaded when the cell has ended.')
          : trans.__('Load it to have servers, streams and views here.'),
        offer: 'load'
      };
    default:
      return lab
        ? null
        : { what: trans.__('No lab in this kernel.'), next: trans.__('Start one: a real nats-server of your own.'), offer: 'up' };
  }
}
