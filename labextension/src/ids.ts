// Names that JupyterLab knows things of ours by.

export const PLUGIN = 'natslab:plugin'; // also the settings'

export const COMMANDS = {
  panel: 'natslab:open',
  lessons: 'natslab:open-lessons',
  newLab: 'natslab:new-lab',
  newCluster: 'natslab:new-cluster',
  up: 'natslab:up',
  down: 'natslab:down',
  dock: 'natslab:dock'
} as const;

export const CATEGORY = 'NATS';
