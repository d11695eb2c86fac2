package passkey

import (
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
)

// FuzzNoTextIsATicketOrAProof: whatever a browser sends, nothing panics, and no ticket
// that was not given here opens.
func FuzzNoTextIsATicketOrAProof(f *testing.F) {
	site, at := At("https://kakusho.example.jp"), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	k := New(nil, nil, nil)
	o, err := k.BeginLogin(site, at)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := k.open(o.Ticket, site, "", at); err != nil {
		f.Fatal(err)
	}
	f.Add(o.Ticket[:len(o.Ticket)-1], []byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA"}}`))
	f.Add("", []byte(`{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA"}}`))
	f.Fuzz(func(t *testing.T, ticket string, response []byte) {
		if _, err := k.open(ticket, site, "", at); err == nil && ticket != o.Ticket {
			t.Errorf("%q opens", ticket)
		}
		protocol.ParseCredentialCreationResponseBytes(response) //nolint:errcheck // it must not panic
		protocol.ParseCredentialRequestResponseBytes(response)  //nolint:errcheck // nor this
	})
}
