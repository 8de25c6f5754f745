// The live views: those that are open, and those that could be.

import * as React from 'react';
import { useState } from 'react';
import { IconButton, Nothing, Rest, Row, Section } from '../parts';
import { useKit } from '../kit';
import { magic, view } from '../lines';
import { missing } from '../words';
import type { Snapshot } from '../wire';

interface EntryProps {
  name: string;
  of: string[];
  title: string;
  open: boolean;
}

function Entry({ name, of, title, open }: EntryProps) {
  const { trans, acts, command, docks } = useKit();
  const whole = [title, ...of].join(' ');
  return (
    <Row
      testid={`${open ? 'view' : 'offer'}-${[name, ...of].join('-')}`}
      name={title}
      title={magic(view(name, of))}
      right={of.join(' ') || (open ? trans.__('open') : '')}
      actions={
        <>
          {docks && (
            <IconButton
              sign="dock"
              label={trans.__('Show %1 beside the notebook', whole)}
              line={view(name, of, 'right')}
              onClick={() => command('natslab:dock', { view: name, of, side: 'right' })}
            />
          )}
          <IconButton
            sign="insert"
            label={trans.__('Insert a cell that shows %1, and run it', whole)}
            line={view(name, of)}
            onClick={() => acts.insert(magic(view(name, of)), true)}
          />
        </>
      }
    />
  );
}

export function Views({ state: { views, views_there } }: { state: Snapshot }) {
  const { trans } = useKit();
  const [more, setMore] = useState(false);
  return (
    <Section
      id="views"
      title={trans.__('Views')}
      total={views.total}
      actions={
        <button
          type="button"
          className="nlp-icon"
          aria-expanded={more}
          aria-label={trans.__('All views')}
          title={trans.__('All views')}
          onClick={() => setMore(!more)}
        >
          <svg className="nlp-glyph" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d={more ? 'M3 8h10' : 'M8 3v10M3 8h10'} />
          </svg>
        </button>
      }
    >
      {views.total === 0 && !more && (
        <Nothing>
          {trans.__('No view is open: a view draws what the servers do, as they do it.')}{' '}
          <button type="button" className="nlp-link" onClick={() => setMore(true)}>
            {trans.__('Choose one')}
          </button>
        </Nothing>
      )}
      <ul className="nlp-list">
        {views.rows.map(row => (
          <Entry key={[row.name, ...row.of].join(' ')} {...row} open={true} />
        ))}
      </ul>
      <Rest text={missing(views, trans)} />
      {more && (
        <>
          <h3>{trans.__('All views')}</h3>
          <ul className="nlp-list">
            {views_there.map(row => (
              <Entry key={row.name} {...row} of={[]} open={false} />
            ))}
          </ul>
        </>
      )}
    </Section>
  );
}
