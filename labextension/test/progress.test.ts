import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folderOf, isLesson, progressOf, titleOf } from '../src/panel/progress';
import { notebook, STARTS } from '../src/starts';

test('a lesson is known by its number', () => {
  assert.ok(isLesson('01-publish-subscribe.ipynb') && isLesson('notebooks/19-key-value.ipynb'));
  assert.ok(!isLesson('Untitled.ipynb') && !isLesson('1-x.ipynb') && !isLesson('01-x.txt') && !isLesson('a01-x.ipynb'));
  assert.equal(titleOf('02-subjects-and-wildcards.ipynb'), '02 Subjects and wildcards');
  assert.equal(folderOf('a/b/01-x.ipynb'), 'a/b/');
  assert.equal(folderOf('01-x.ipynb'), '');
});

test('progress counts the code cells that ran for this person, not outputs that were stored', () => {
  const cells = [
    { cell_type: 'code', id: 'a', execution_count: 1 },
    { cell_type: 'markdown', id: 'b' },
    { cell_type: 'code', id: 'c', execution_count: 2 }
  ];
  const of = (natslab: unknown) => progressOf({ cells, metadata: { natslab } } as never);
  assert.deepEqual(of(undefined), { done: 0, of: 2 });
  assert.deepEqual(of({ ran: ['a', 'b', 'gone'] }), { done: 1, of: 2 });
  assert.deepEqual(of({ ran: 'nonsense' }), { done: 0, of: 2 });
});

test('a new notebook is one that Jupyter takes', () => {
  const made = notebook(STARTS.lab, 'python3', 'Python 3');
  assert.equal(made.nbformat, 4);
  assert.equal(new Set(made.cells.map(cell => cell.id)).size, STARTS.lab.length);
  assert.match(String(made.cells[0].source), /^%load_ext natslab\n%natslab up$/);
});
