// Help about the word under the pointer, or what is wrong with it.

import type { Extension } from '@codemirror/state';
import { hoverTooltip, type EditorView, type Tooltip } from '@codemirror/view';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { KernelLink } from '../panel/link';
import type { Help } from '../panel/wire';
import { h } from '../stage/dom';
import { shown } from './check';
import { cellMagic, concerns } from './marks';
import { magicOf } from './words';

const PATIENCE = 1000; // ms for an answer
const MOST = 600; // characters of an explanation

function box(...children: HTMLElement[]): HTMLElement {
  return h('div', { class: 'cm-nats-help', role: 'tooltip' }, ...children);
}

function helpBox({ title, says, usage, example }: Help): HTMLElement {
  const [summary, ...rest] = says.split('\n\n');
  const text = rest.join('\n\n');
  const parts: HTMLElement[] = [h('p', { class: 'cm-nats-help-title' }, title), h('p', {}, summary)];
  if (text) {
    parts.push(h('p', { class: 'cm-nats-help-more' }, text.length > MOST ? `${text.slice(0, MOST)}\u2026` : text));
  }
  if (usage) {
    parts.push(h('code', {}, usage));
  }
  if (example) {
    parts.push(h('code', {}, example));
  }
  return box(...parts);
}

function at(from: number, to: number, dom: HTMLElement): Tooltip {
  return { pos: from, end: to, above: true, create: () => ({ dom }) };
}

export function help(kernel: (view: EditorView) => KernelLink | null, trans: TranslationBundle): Extension {
  return hoverTooltip(
    async (view, pos) => {
      const { state } = view;
      const { doc } = state;
      const complaint = shown(state).find(({ from, to }) => pos >= from && pos <= to);
      if (complaint) {
        const { from, to, what, hint } = complaint;
        return at(from, to, box(h('p', { class: 'cm-nats-help-title' }, what), h('p', {}, hint)));
      }
      const line = doc.lineAt(pos);
      if (!concerns(doc) || (!magicOf(line.text) && cellMagic(doc)?.language !== 'script')) {
        return null;
      }
      const link = kernel(view);
      if (link?.phase !== 'live') {
        return null;
      }
      const asked = link.ask('help', { cell: doc.toString(), line: line.number - 1, column: pos - line.from });
      const slow = new Promise<'slow'>(resolve => setTimeout(() => resolve('slow'), PATIENCE));
      try {
        const answer = await Promise.race([asked, slow]);
        if (answer === 'slow') {
          asked.catch(() => undefined);
          return at(pos, pos, box(h('p', {}, trans.__('The kernel is busy and does not answer now.'))));
        }
        return answer.help ? at(line.from + answer.help.from, line.from + answer.help.to, helpBox(answer.help)) : null;
      } catch {
        return null;
      }
    },
    { hideOnChange: true }
  );
}
