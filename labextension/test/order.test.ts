import assert from 'node:assert/strict';
import { test } from 'node:test';
import { next, numeric, sorted } from '../src/stage/order';

const rows = [
  ['all', '-', ''],
  ['n10', '9', '200 ms'],
  ['n2', '10 000', '1.5 s'],
  ['n1', '-', '3 µs'],
  ['n3', '120', ''],
  ['total', '10 129', '']
];

function names(column: number, falling: boolean, apart: number[] = []): string {
  return sorted(rows, { column, falling }, i => apart.includes(i)).map(i => rows[i][0]).join(' ');
}

test('numbers are ordered as numbers, text as people count, and what is missing comes last both ways', () => {
  assert.equal(names(1, true), 'total n2 n3 n10 all n1');
  assert.equal(names(1, false), 'n10 n3 n2 total all n1');
  assert.equal(names(2, true), 'n2 n10 n1 all n3 total');
  assert.equal(names(0, false), 'all n1 n2 n3 n10 total');
});

test('rows that stand apart stay at the top or at the end', () => {
  assert.equal(names(1, true, [0, 5]), 'all n2 n3 n10 n1 total');
  assert.equal(names(0, true, [0, 5]), 'all n10 n3 n2 n1 total');
  assert.equal(names(0, true, [0, 1, 2, 3, 4, 5]), 'all n10 n2 n1 n3 total');
  assert.deepEqual(sorted(rows, null, () => false), [0, 1, 2, 3, 4, 5]);
});

test('a column is of numbers when all its cells are, or are empty', () => {
  assert.deepEqual([0, 1, 2].map(column => numeric(rows, column)), [false, true, true]);
  assert.equal(numeric([], 0), false);
  assert.equal(numeric([['n3 20 behind']], 0), false);
});

test('clicks on a head go round: one way, the other way, as it was', () => {
  const one = next(null, 1, true);
  assert.deepEqual(one, { column: 1, falling: true });
  const two = next(one, 1, true);
  assert.deepEqual(two, { column: 1, falling: false });
  assert.equal(next(two, 1, true), null);
  assert.deepEqual(next(two, 0, false), { column: 0, falling: false });
});
