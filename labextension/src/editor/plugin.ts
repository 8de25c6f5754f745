// Editing lines of ours: colours, completion, help, and what is wrong before it is run.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';
import { ICompletionProviderManager } from '@jupyterlab/completer';
import type { EditorView } from '@codemirror/view';
import { IWorkbench, type Workbench } from '../workbench';
import { checking } from './check';
import { Completions } from './completer';
import { help } from './hover';
import { colours } from './marks';

export const editor: JupyterFrontEndPlugin<void> = {
  id: 'natslab:editor',
  description: 'Colours, help and checks for the lines of %nats, %js and %natslab.',
  autoStart: true,
  requires: [IWorkbench],
  optional: [IEditorExtensionRegistry],
  activate: (_: JupyterFrontEnd, { links, trans }: Workbench, registry: IEditorExtensionRegistry | null) => {
    const kernel = (view: EditorView) => {
      const panel = links.holding(view.dom);
      return panel && links.of(panel);
    };
    const news = (heard: () => void) => {
      links.phased.connect(heard);
      return () => void links.phased.disconnect(heard);
    };
    registry?.addExtension({
      name: 'natslab',
      factory: ({ inline }) =>
        inline === false ? null : EditorExtensionRegistry.createImmutableExtension([colours, checking(kernel, news), help(kernel, trans)])
    });
  }
};

export const completer: JupyterFrontEndPlugin<void> = {
  id: 'natslab:completer',
  description: 'Completion of the lines of %nats, %js and %natslab.',
  autoStart: true,
  requires: [IWorkbench],
  optional: [ICompletionProviderManager],
  activate: (_: JupyterFrontEnd, { links }: Workbench, manager: ICompletionProviderManager | null) => {
    manager?.registerProvider(new Completions(links));
  }
};
