import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSide, nameOf, place, SIDES } from '../src/dock/places';

test('the first view splits the notebook, the second the first, more are tabs', () => {
  assert.deepEqual(place('right', 'nb', []), { mode: 'split-right', ref: 'nb' });
  assert.deepEqual(place('right', 'nb', ['a']), { mode: 'split-bottom', ref: 'a' });
  assert.deepEqual(place('right', 'nb', ['a', 'b']), { mode: 'tab-after', ref: 'b' });
  assert.deepEqual(place('bottom', 'nb', ['a']), { mode: 'split-right', ref: 'a' });
  assert.deepEqual(place('tab', 'nb', ['a', 'b']), { mode: 'tab-after', ref: 'nb' });
  assert.ok(SIDES.every(side => place(side, 'nb', []).ref === 'nb'));
});

test('a view of a notebook has one name', () => {
  assert.notEqual(nameOf('a.ipynb', 'stream', ['A B']), nameOf('a.ipynb', 'stream', ['A', 'B']));
  assert.equal(nameOf('a.ipynb', 'raft', []), nameOf('a.ipynb', 'raft', []));
  assert.ok(isSide('right') && !isSide('up') && !isSide(undefined));
});
