// How far a lesson has come: of its code cells those that ran well, as its own metadata say.

import type { INotebookContent } from '@jupyterlab/nbformat';

export interface Progress {
  done: number;
  of: number;
}

/** A lesson is a notebook whose name begins with its number. */
export function isLesson(path: string): boolean {
  return /(^|\/)\d\d-[\w-]+\.ipynb$/.test(path);
}

/** 01-publish-subscribe.ipynb -> 01 Publish subscribe */
export function titleOf(name: string): string {
  const [number, ...words] = name.replace(/\.ipynb$/, '').split('-');
  const text = words.join(' ');
  return `${number} ${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1);
}

export function progressOf(notebook: Pick<INotebookContent, 'cells' | 'metadata'>): Progress {
  const ids = notebook.cells.filter(cell => cell.cell_type === 'code').map(cell => cell.id);
  const kept = (notebook.metadata as { natslab?: { ran?: unknown } }).natslab?.ran;
  const ran = new Set(Array.isArray(kept) ? kept : []);
  return { done: ids.filter(id => ran.has(id)).length, of: ids.length };
}
