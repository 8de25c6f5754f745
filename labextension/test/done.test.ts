import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kept, past, type Done } from '../src/panel/done';

const made = (n: number, kernel = 'k', lab = 100): Done => ({
  n, line: `%natslab kill n${n}`, kernel, lab, running: false, said: '', hint: '', failed: false
});

test('of each kernel the newest lines are kept', () => {
  const list = Array.from({ length: 20 }, (_, i) => made(20 - i, i === 19 ? 'other' : 'k'));
  assert.deepEqual(kept(list).map(({ n }) => n), [20, 19, 18, 17, 16, 15, 14, 13, 1]);
});

test('a line is of an earlier lab once another one has begun', () => {
  assert.ok(past(made(1, 'k', 100), 100.25));
  assert.ok(!past(made(1, 'k', 100), 100), 'it is of this one');
  assert.ok(!past(made(1, 'k', 100), 0), 'there is none');
  assert.ok(!past(made(1, 'k', 0), 100), 'it was of no lab, as %load_ext');
  assert.ok(!past(made(1, 'k', 101), 100), 'it has just begun one');
});
