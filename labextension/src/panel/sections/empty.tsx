// A section without anything in it: why that is so, and the line that changes it.

import * as React from 'react';
import { Nothing, Rest } from '../parts';
import { useKit } from '../kit';
import type { Snapshot } from '../wire';

interface EmptyProps {
  state: Snapshot;
  /** Why there is none although the servers could tell. */
  why: string;
  /** A line that makes one, and what the link to it says. */
  line: string;
  offer: string;
}

export function Empty({ state: { lab, silent }, why, line, offer }: EmptyProps) {
  const { trans, acts } = useKit();
  if (lab?.watched === false) {
    return <Nothing>{trans.__('This lab runs without sources (--no-watch), so nobody has looked.')}</Nothing>;
  }
  if (silent.all) {
    return <Nothing>{trans.__('No server answers, so nobody can say. Start one above.')}</Nothing>;
  }
  return (
    <Nothing>
      {why}{' '}
      <button type="button" className="nlp-link" title={line} onClick={() => acts.insert(line)}>
        {offer}
      </button>
    </Nothing>
  );
}

/** That what is shown is not of now. */
export function Old({ state: { silent } }: { state: Snapshot }) {
  const { trans } = useKit();
  if (silent.all) {
    return <Rest text={trans.__('No server answers: this is what they said last.')} />;
  }
  const frozen = silent.since.join(', ');
  return <Rest text={frozen && trans.__('%1 is frozen: this is what it said last.', frozen)} />;
}
