// The panel: whose lab it shows, the sections, and the lines of what was clicked.

import * as React from 'react';
import type { ReactNode } from 'react';
import { useKit } from './kit';
import type { Phase } from './link';
import { DOWN, LOAD, UP } from './lines';
import { LineButton, TextButton } from './parts';
import { Buckets } from './sections/buckets';
import { Clients } from './sections/clients';
import { DoneLines } from './sections/done';
import { LessonList } from './sections/lessons';
import { Servers } from './sections/servers';
import { Streams } from './sections/streams';
import { Views } from './sections/views';
import { alarms, why, type Sorry } from './words';
import type { Snapshot } from './wire';

function Offer({ sorry }: { sorry: Sorry }) {
  const { trans, acts, command } = useKit();
  const offers: Record<NonNullable<Sorry['offer']>, ReactNode> = {
    load: (
      <TextButton strong title={LOAD} onClick={() => void acts.load()}>
        {trans.__('Load natslab')}
      </TextButton>
    ),
    up: (
      <TextButton strong title={`%${UP}`} onClick={() => void acts.run(UP)}>
        {trans.__('Start a lab')}
      </TextButton>
    ),
    restart: (
      <TextButton strong onClick={() => command('notebook:restart-kernel')}>
        {trans.__('Restart the kernel\u2026')}
      </TextButton>
    ),
    notebook: (
      <TextButton strong onClick={() => command('natslab:new-lab')}>
        {trans.__('New lab notebook')}
      </TextButton>
    ),
    lessons: (
      <TextButton strong onClick={() => command('natslab:open-lessons')}>
        {trans.__('Open the lessons')}
      </TextButton>
    )
  };
  return (
    <div className="nlp-sorry" data-testid="sorry" role="status">
      <p className="nlp-what">{sorry.what}</p>
      <p>{sorry.next}</p>
      {sorry.offer && offers[sorry.offer]}
    </div>
  );
}

function Heading({ state }: { state: Snapshot | null }) {
  const { trans, links } = useKit();
  const name = links.panel?.title.label.replace(/\.ipynb$/, '') ?? '';
  return (
    <header className="nlp-header">
      <div className="nlp-title">
        <h1>{state?.lab?.name ?? trans.__('NATS')}</h1>
        {links.busy && <span className="nlp-chip">{trans.__('kernel busy')}</span>}
        {state?.lab && state.lab.mode !== 'live' && (
          <span className="nlp-chip" title={trans.__('The views show the past; the servers go on.')}>
            {state.lab.mode === 'paused' ? trans.__('views paused') : trans.__('views replay')}
          </span>
        )}
        {state?.lab && <LineButton sign="stop" label={trans.__('Stop the lab')} line={DOWN} />}
      </div>
      {name && <p className="nlp-of">{state?.lab ? trans.__('in %1', name) : name}</p>}
      {state && state.alarms.length > 0 && (
        <div className="nlp-alarms" role="alert">
          <ul>
            {alarms(state.alarms, trans).map(({ kind, text }) => (
              <li key={kind} data-kind={kind}>
                {text}
              </li>
            ))}
          </ul>
        </div>
      )}
    </header>
  );
}

export function Root() {
  const { trans, links } = useKit();
  const { active, panel } = links;
  const phase: Phase | 'no notebook' | 'no kernel' = active?.phase ?? (panel ? 'no kernel' : 'no notebook');
  const state = active?.phase === 'live' ? active.state : null;
  const sorry = why(phase, !!state?.lab, links.busy, trans);
  return (
    <div className="nlp-root" data-phase={phase} data-lab={state?.lab ? 'up' : ''}>
      <Heading state={state} />
      <div className="nlp-scroll" tabIndex={-1}>
        {sorry && <Offer sorry={sorry} />}
        {state?.fault && <p className="nlp-rest">{trans.__('The lab could not be read: %1.', state.fault)}</p>}
        {state?.lab && (
          <>
            <Servers state={state} />
            <Streams state={state} />
            <Buckets state={state} />
            <Clients state={state} />
            <Views state={state} />
          </>
        )}
        <LessonList />
      </div>
      <DoneLines />
    </div>
  );
}
