import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folderOf, isLesson, progressOf, ranWell, titleOf } from '../src/panel/progress';
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
    { cell_type: 'code', id: '24-01', execution_count: 1 },
    { cell_type: 'markdown', id: '24-02' },
    { cell_type: 'code', id: '24-c-00', execution_count: 2 }
  ];
  const of = (natslab: unknown) => progressOf({ cells, metadata: { natslab } } as never, 'notebooks/24-raft.ipynb');
  assert.deepEqual(of(undefined), { done: 0, of: 2 });
  assert.deepEqual(of({ ran: ['24-01', '24-02', '24-77'] }), { done: 1, of: 2 });
  assert.deepEqual(of({ ran: 'nonsense' }), { done: 0, of: 2 });
});

test('cells that somebody added are no part of the lesson: who tries things out can finish', () => {
  const cells = ['24-01', '5f0c2a9e', '24', '23-01', undefined].map(id => ({ cell_type: 'code', id }));
  const ran = ['24-01', '5f0c2a9e', '23-01'];
  assert.deepEqual(progressOf({ cells, metadata: { natslab: { ran } } } as never, '24-raft-Copy1.ipynb'), { done: 1, of: 1 });
  assert.deepEqual(progressOf({ cells, metadata: {} } as never, '30-mine.ipynb'), { done: 0, of: 0 });
});

test('a cell that is there to fail did well when it failed; no other did', () => {
  assert.ok(ranWell(true, undefined) && ranWell(false, ['check', 'raises-exception']));
  assert.ok(!ranWell(false, undefined) && !ranWell(false, ['check']) && !ranWell(false, 'raises-exception'));
});

test('a new notebook is one that Jupyter takes', () => {
  const made = notebook(STARTS.lab, 'python3', 'Python 3');
  assert.equal(made.nbformat, 4);
  assert.equal(new Set(made.cells.map(cell => cell.id)).size, STARTS.lab.length);
  assert.match(String(made.cells[0].source), /^%load_ext natslab\n%natslab up$/);
});
