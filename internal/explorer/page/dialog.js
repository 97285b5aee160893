// This module asks before an operation writes. Enter runs the operation, and Escape cancels it.
import { h, makeStore } from './store.js';

const { Dialog, Button } = GraphiQL.React;
const question = makeStore(null);

// confirmed asks a question and resolves to whether the answer is yes.
export const confirmed = (title, text, yes) => new Promise((resolve) => question.set({ title, text, yes, resolve }));

export function Question() {
  const asked = question.use();
  const answer = (yes) => {
    asked?.resolve(yes);
    question.set(null);
  };
  return h(
    Modal,
    { open: asked !== null, title: asked?.title, onClose: () => answer(false) },
    h('p', null, asked?.text),
    h(
      'div',
      { className: 'dialog-buttons' },
      h(Button, { type: 'button', onClick: () => answer(false) }, 'Cancel'),
      h(Button, { type: 'button', className: 'primary', autoFocus: true, onClick: () => answer(true) }, asked?.yes),
    ),
  );
}

// Modal is a dialog of GraphiQL with a title and a button that closes it.
export function Modal({ open, title, onClose, children }) {
  const before = React.useRef(null); // has the focus again after the dialog
  if (open) before.current ??= document.activeElement;
  React.useEffect(() => {
    if (open) return;
    before.current?.focus();
    before.current = null;
  }, [open]);
  return h(
    Dialog,
    { open, onOpenChange: (stays) => stays || onClose() },
    h('div', { className: 'graphiql-dialog-header' }, h(Dialog.Title, { className: 'graphiql-dialog-title' }, title), h(Dialog.Close)),
    h(Dialog.Description, { asChild: true }, h('div', { className: 'graphiql-dialog-section dialog-body' }, children)),
  );
}
