import './panel.css';
import './status.css';
