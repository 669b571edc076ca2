package httpserver

import (
	"log/slog"
	"net/http"
)

// NewServer returns a server for HTTP/1.1 and, for clients that know beforehand,
// HTTP/2 without TLS; a request to upgrade to h2c is ignored, since proxies that
// pass it on can be smuggled through. The caller listens and ends it.
func NewServer(handler http.Handler, s Settings, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           handler,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: int(s.MaxStreams)},
		MaxHeaderBytes:    int(s.MaxHeaderBytes),
		ReadHeaderTimeout: s.ReadHeaderTimeout,
		ReadTimeout:       s.ReadTimeout,
		WriteTimeout:      s.WriteTimeout,
		IdleTimeout:       s.IdleTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// OPTIONS * is counted and echoed like every other request.
		DisableGeneralOptionsHandler: true,
	}
}
