// The workbench in JupyterLab: every plugin that it is made of.

import { dock } from './dock/plugin';
import { completer, editor } from './editor/plugin';
import { panel } from './panel/plugin';
import { start } from './start';
import { status } from './status';
import { workbench } from './workbench';

export default [workbench, panel, start, status, dock, editor, completer];
