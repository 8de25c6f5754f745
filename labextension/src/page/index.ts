// The script of an exported page: a stage at every place that asks for one, fed by what the page carries.

import { Desk, ReelModel, type Reel } from '../stage/reel';
import { Stage } from '../stage/stage';
import type { Track } from '../stage/wire';

function carried<T>(id: string): T {
  return JSON.parse(document.getElementById(id)?.textContent ?? 'null') as T;
}

const { signal } = new AbortController(); // a page has no end of its own
const desks = new Map<string, Desk>();
const reels = new Map<string, Reel>();

for (const place of document.querySelectorAll<HTMLElement>('.natslab-place')) {
  const { reel = '', tape = '', to } = place.dataset;
  let desk = desks.get(tape);
  if (!desk) {
    desk = new Desk(carried<Track>(tape), signal);
    desks.set(tape, desk);
  }
  const scenes = reels.get(reel) ?? carried<Reel>(reel);
  reels.set(reel, scenes);
  place.replaceChildren();
  new Stage(new ReelModel(scenes, desk, Number(to ?? desk.track.head), signal), place, signal);
}
