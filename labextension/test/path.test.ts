import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meeting } from '../src/stage/path';

test('two stretches meet where both are, and not where only their lines would', () => {
  assert.deepEqual(meeting([0, 0], [10, 10], [0, 10], [10, 0]), [5, 5]);
  assert.equal(meeting([0, 0], [4, 4], [0, 10], [10, 0]), null);
  assert.equal(meeting([0, 0], [10, 10], [0, 10], [4, 6]), null);
  assert.equal(meeting([0, 0], [10, 0], [0, 5], [10, 5]), null);
  assert.deepEqual(meeting([0, 0], [0, 10], [-5, 10], [5, 10]), [0, 10]);
});
