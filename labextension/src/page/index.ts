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

/** The tape up to an event: a still that was taken there knows no more. */
function until(track: Track, to: number): Track {
  const pubs = track.pubs.filter(([n]) => n <= to);
  const beats = track.beats?.filter(([n]) => n <= to);
  const signs = track.signs.filter(({ n }) => n <= to);
  const t1 = Math.max(track.t0, ...pubs.map(([, t]) => t), ...(beats ?? []).map(([, t]) => t), ...signs.map(({ t }) => t));
  return { ...track, head: to, t1, pubs, beats, signs };
}

for (const place of document.querySelectorAll<HTMLElement>('.natslab-place')) {
  const { reel = '', tape = '', to } = place.dataset;
  // Pictures of one moment move together; those of another moment of the page stay where they are.
  const moment = `${tape} ${to ?? ''}`;
  let desk = desks.get(moment);
  if (!desk) {
    const track = carried<Track>(tape);
    desk = new Desk(to === undefined ? track : until(track, Number(to)), signal);
    desks.set(moment, desk);
  }
  const scenes = reels.get(reel) ?? carried<Reel>(reel);
  reels.set(reel, scenes);
  new Stage(new ReelModel(scenes, desk, signal), place, signal);
}
