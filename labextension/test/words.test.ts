import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alarms, bytes, count, grave, led, missing, old, status, tone, why } from '../src/panel/words';

/** As JupyterLab's bundles do it: the values take the places of %1, %2. */
const fill = (text: string, values: unknown[]): string => text.replace(/%(\d)/g, (_, i) => String(values[Number(i) - 1]));
const trans = {
  __: (text: string, ...values: unknown[]) => fill(text, values),
  _n: (one: string, many: string, n: number, ...values: unknown[]) => fill(n === 1 ? one : many, [n, ...values])
};

test('bytes have three digits at most', () => {
  assert.deepEqual([0, 39, 999, 1000, 1536, 20 << 20, 5e12].map(bytes), ['0 B', '39 B', '999 B', '1 KiB', '1.5 KiB', '20 MiB', '4.5 TiB']);
  assert.equal(bytes(-5), '0 B');
});

test('counts are set apart in thousands', () => {
  assert.deepEqual([0, 999, 1000, 123456, 2_500_000, 1e9].map(count), ['0', '999', '1\u202f000', '123\u202f456', '2.5 M', '1000 M']);
});

test('a list that is cut says so', () => {
  assert.equal(missing({ total: 3, rows: [1, 2, 3] }, trans), '');
  assert.equal(missing({ total: 1200, rows: [1, 2] }, trans), '1\u202f198 more are not shown');
});

test('every state has a look of its own', () => {
  assert.deepEqual(['up', 'down', 'frozen', 'lame duck', 'starting', 'removed'].map(tone), ['good', 'bad', 'warn', 'warn', 'off', 'off']);
});

test('alarms: lost quorum and slow consumers are seen from afar', () => {
  const text = (...list: [string, string][]) => alarms(list.map(([kind, of]) => ({ kind, of })), trans).map(each => each.text);
  assert.deepEqual(text(['quorum', '_meta_']), ['The meta group has no quorum']);
  assert.deepEqual(text(['quorum', 'ORDERS'], ['down', 'n1'], ['quorum', '_meta_'], ['down', 'n3']), [
    'ORDERS and the meta group have no quorum',
    'n1 and n3 are down'
  ]);
  assert.deepEqual(text(...['a', 'b', 'c', 'd', 'e'].map((of): [string, string] => ['frozen', of])), ['a, b, c and 2 more are frozen']);
  assert.deepEqual(text(['odd', 'x']), ['x: odd']);
  assert.equal(grave([{ kind: 'down', of: 'n1' }]), false);
  assert.equal(grave([{ kind: 'down', of: 'n1' }, { kind: 'slow', of: 'n2' }]), true);
});

test('whose words are old: only of servers that answer for what is shown', () => {
  const said = (since: string[], ...of: string[]) => old({ all: false, since }, of, trans);
  assert.equal(said(['n2'], 'n1', 'n2'), 'n2 is frozen: this is what it said last.');
  assert.equal(said(['n2', 'n3'], 'n2', 'n3'), 'n2 and n3 are frozen: this is what they said last.');
  assert.equal(said(['n2', 'n3'], 'n1'), '');
  assert.equal(old({ all: true, since: ['n2'] }, [], trans), 'No server answers: this is what they said last.');
});

test('a leader without a majority in reach is not said to lead', () => {
  const row = { leader: 'n1', domain: '', current: 3, reach: 3, mute: false, replicas: 3 };
  assert.deepEqual(led(row, trans), ['R3, n1 leads']);
  assert.deepEqual(led({ ...row, current: 2, reach: 2 }, trans), ['R3, n1 leads', '2 of 3 current']);
  assert.deepEqual(led({ ...row, reach: 1 }, trans), ['R3, n1 says leader', 'reaches 1 of 3: cannot commit (inferred)']);
  assert.equal(led({ ...row, replicas: 2, reach: 1 }, trans).length, 2);
  assert.deepEqual(led({ ...row, mute: true, reach: 1 }, trans), ['R3, no leader answers']);
  assert.deepEqual(led({ ...row, replicas: 1, current: 1, reach: 1, domain: 'edge1' }, trans), ['domain edge1']);
  assert.deepEqual(led({ ...row, replicas: 1, current: 1, reach: 0, mute: true }, trans), ['n1 is silent']);
});

test('the status bar counts what is up', () => {
  const row = (state: string) => ({ name: state, state, version: '', cluster: '', meta: false, in: 0, out: 0 });
  assert.equal(status({ total: 1, rows: [row('up')] }, { in: 7, out: 0 }, trans), 'NATS 1 server up \u00b7 7 msg/s');
  assert.equal(status({ total: 3, rows: [row('up'), row('down'), row('up')] }, { in: 0, out: 0 }, trans), 'NATS 2 of 3 servers up \u00b7 0 msg/s');
});

test('every empty panel says why, and what comes next', () => {
  const phases = ['no notebook', 'no kernel', 'connecting', 'absent', 'lost', 'dead', 'live'] as const;
  const said = phases.map(phase => why(phase, false, false, trans));
  said.forEach(sorry => assert.ok(sorry && sorry.what.endsWith('.') && sorry.next));
  assert.equal(new Set(said.map(sorry => sorry?.what)).size, phases.length);
  assert.equal(why('live', true, false, trans), null);
  assert.match(why('absent', false, true, trans)?.next ?? '', /busy/);
});
